import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { ownHosts } from './hosts.ts'

test('addresses and the names of this machine are its own, any other name is not', () => {
  const isOwn = ownHosts(['', 'Observatory.example'])
  const own = ['127.0.0.1:8080', '[::1]:8080', '192.168.1.20', 'localhost:8080', hostname(), 'observatory.example:443']
  expect(own.filter((host) => !isOwn(host))).toEqual([])
  expect(['evil.example', 'localhost.evil.example:80', '', ':80', '127.0.0.1.evil.example'].filter(isOwn)).toEqual([])
})
