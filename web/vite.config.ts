import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

/** `npx vite` beside a running daemon: set NIGHTJAR_URL to its address. */
const daemon = process.env.NIGHTJAR_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  root: import.meta.dirname,
  plugins: [svelte()],
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { proxy: { '/api': { target: daemon, ws: true, changeOrigin: false } } },
})
