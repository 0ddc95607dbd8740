import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { NightjarError } from '@nightjar/firmware-bridge/errors.ts'

/** argon2id, 46 MiB, one pass (OWASP's first choice). Written into each hash, so it can be raised later. */
const cost = { memory: 47104, passes: 1, parallelism: 1 } as const
const tagBytes = 32
const saltBytes = 16
/** 46 MiB each: two at a time, and a short queue, bound what a flood of logins can cost. */
const concurrent = 2
const waitingLimit = 16

const derive = promisify(argon2)
let running = 0
const waiting: (() => void)[] = []

/** The hash to keep, as a PHC string `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. Throws `login/busy` when too many wait. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes)
  const tag = await deriveInTurn(password, salt, cost, tagBytes)
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${base64(salt)}$${base64(tag)}`
}

/** True when `password` made `phc`. Throws `login/busy` when too many wait, `password/hash` when `phc` is not argon2id. */
export async function verifyPassword(password: string, phc: string): Promise<boolean> {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(phc)
  if (!match) throw new NightjarError('password/hash', 'the stored password hash is not argon2id version 19')
  const wanted = Buffer.from(match[5]!, 'base64')
  const used = { memory: Number(match[1]), passes: Number(match[2]), parallelism: Number(match[3]) }
  const tag = await deriveInTurn(password, Buffer.from(match[4]!, 'base64'), used, wanted.length)
  return timingSafeEqual(tag, wanted)
}

/** Takes as long as a real check, so that an unknown user name cannot be told from a wrong password. */
export async function verifyNobody(password: string): Promise<false> {
  await deriveInTurn(password, Buffer.alloc(saltBytes), cost, tagBytes)
  return false
}

/** Why this password will not do, or undefined. Length and commonness only (OWASP ASVS 5.0, 6.2): no composition rules. */
export function passwordProblem(password: string, username: string): string | undefined {
  if (password.length < 10) return 'use at least 10 characters'
  const plain = password.toLowerCase()
  if (plain.includes(username.toLowerCase()) && plain.length < username.length + 6) return 'do not use your user name'
  if (new Set(plain).size < 4) return 'use more different characters'
  if (common.has(plain) || common.has(plain.replace(/[^a-z]+$/, '')))
    return 'this password is on the list of common ones'
  return undefined
}

async function deriveInTurn(
  password: string,
  nonce: Uint8Array,
  parameters: { readonly memory: number; readonly passes: number; readonly parallelism: number },
  tagLength: number,
): Promise<Buffer> {
  await turn()
  try {
    return await derive('argon2id', {
      message: Buffer.from(password.normalize('NFKC')),
      nonce,
      tagLength,
      ...parameters,
    })
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

async function turn(): Promise<void> {
  if (running < concurrent) {
    running++
    return
  }
  if (waiting.length >= waitingLimit)
    throw new NightjarError('login/busy', 'too many logins at once; try again in a moment')
  await new Promise<void>((resolve) => waiting.push(resolve))
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

/** Common passwords of ten characters and more, and the words that people lengthen with digits; all in lower case. */
const common = new Set(
  `1234567890 12345678910 123456789a 0123456789 0987654321 9876543210 1q2w3e4r5t 1qaz2wsx3edc qwertyuiop qwerty1234
  qwerty12345 qwerty123456 qwertyuiop123 asdfghjkl1 asdfghjkl123 zxcvbnm123 1234qwerasdf q1w2e3r4t5 q1w2e3r4t5y6 password
  password12 password123 password1234 passw0rd123 p@ssw0rd123 p@ssword123 iloveyou iloveyou12 iloveyou123 letmein letmein123
  welcome welcome123 welcome1234 administrator admin adminadmin admin12345 admin123456 changeme changeme123 sunshine princess
  football baseball basketball superman michael jennifer starwars starwars123 trustno1 trustno123 whatever computer internet
  liverpool manchester arsenal chelsea1905 abcdefghij abcdefghijk abcd123456 abc1234567 abcdef1234 a123456789 aa12345678
  a1b2c3d4e5 aaaaaaaaaa 1111111111 0000000000 1122334455 1212121212 1231231231 123123123123 123321123321 147258369 741852963
  159753456852 qazwsxedcr qazwsxedcrfv telescope telescope1 astronomy astronomy1 observatory observatory1 nightjar nightjar12
  nightjar123 nightjar1234 raspberry raspberrypi raspberry123 astroberry astroberry1 correcthorsebatterystaple
  mypassword mypassword1 newpassword secretpassword secret1234 default123 temp123456 test123456 testtest12 guest12345 root123456
  rootroot12 toor123456 qwertyqwerty asdfasdfasdf zaq12wsxcde3 monkey123456 dragon123456 master123456 shadow123456 hello12345
  hello123456 helloworld helloworld1 goodmorning jesuschrist blessed123 bismillah123 bismillah1 computer123 internet123
  samsung123 google12345 facebook123 linkedin123 pokemon123 naruto12345 minecraft123 fortnite123 unknown123 nothing123`.split(
    /\s+/,
  ),
)
