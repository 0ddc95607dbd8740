import { en } from './en.ts'

export type Key = keyof typeof en
type Words = Readonly<Record<Key, string>>

const languages: Readonly<Record<string, Words>> = { en }
const words: Words = languages[navigator.language.slice(0, 2)] ?? en

/** The words for `key` in the reader's language, with `{name}` filled in. */
export function t(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
  return words[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** True for a key that has words: for keys put together from data. */
export function hasWords(key: string): key is Key {
  return key in words
}
