import type { FastifyReply, FastifyRequest } from 'fastify'
import {
  AccountRequest,
  AccountView,
  ApiError,
  Credentials,
  Done,
  SessionState,
  SetupRequest,
  SetupState,
  SocketTicket,
} from '../../contract/api.ts'
import type { Role } from '../../contract/records.ts'
import type { Transaction } from '../../store/store.ts'
import { personOf } from '../auth/guard.ts'
import { hashPassword, passwordProblem, verifyNobody, verifyPassword } from '../auth/passwords.ts'
import { createRateLimit } from '../auth/rateLimit.ts'
import { hashToken, sessionAbsoluteMs } from '../auth/sessions.ts'
import { sameSetupCode } from '../auth/setupCode.ts'
import { Refusal, tooMany } from '../refusal.ts'
import type { Api, RouteContext } from './context.ts'

const minuteMs = 60_000

/** Set-up, login, logout, who am I, and making accounts. */
export function addAccountRoutes(app: Api, context: RouteContext): void {
  addSetup(app, context)
  addLogin(app, context)
  addSession(app, context)
  addAccounts(app, context)
}

function addSetup(app: Api, context: RouteContext): void {
  const { store, clock } = context.daemon
  const perAddress = createRateLimit(clock, 5, minuteMs)
  app.get('/api/setup', { config: { access: 'anyone' }, schema: { response: { 200: SetupState } } }, async () => ({
    needed: store.accountCount() === 0,
  }))
  app.post(
    '/api/setup',
    { config: { access: 'anyone' }, schema: { body: SetupRequest, response: { 200: SessionState, '4xx': ApiError } } },
    async (request, reply) => {
      const waitMs = perAddress.take(request.ip)
      if (waitMs !== undefined) throw tooMany(waitMs)
      const { code, username, password } = request.body
      if (store.accountCount() > 0) throw new Refusal(409, 'setup/done', 'the first account exists already: log in')
      if (!context.setupCode || !sameSetupCode(code, context.setupCode)) {
        refuse(context, request, username, 'wrong set-up code')
        throw new Refusal(403, 'setup/code', 'this is not the code that the start printed')
      }
      const passwordHash = await hashGoodPassword(password, username)
      return openSession(context, request, reply, username, (tx) => {
        if (store.accountCount() > 0) throw new Refusal(409, 'setup/done', 'the first account exists already: log in')
        tx.putAccount({ username, role: 'admin', passwordHash, createdAtMs: tx.atMs })
        tx.event('user.created', { username, role: 'admin', by: 'setup' })
        return 'admin'
      })
    },
  )
}

function addLogin(app: Api, context: RouteContext): void {
  const { store, clock } = context.daemon
  const perAddress = createRateLimit(clock, 5, minuteMs)
  const perAccount = createRateLimit(clock, 20, 60 * minuteMs)
  app.post(
    '/api/login',
    { config: { access: 'anyone' }, schema: { body: Credentials, response: { 200: SessionState, '4xx': ApiError } } },
    async (request, reply) => {
      const { username, password } = request.body
      const waitMs = perAddress.take(request.ip) ?? perAccount.take(username)
      if (waitMs !== undefined) throw tooMany(waitMs)
      const account = store.account(username)
      const good = account ? await verifyPassword(password, account.passwordHash) : await verifyNobody(password)
      if (!account || !good) {
        refuse(context, request, username, account ? 'wrong password' : 'no such account')
        throw new Refusal(401, 'login/wrong', 'user name or password is wrong')
      }
      perAccount.clear(username)
      return openSession(context, request, reply, username, () => account.role)
    },
  )
}

function addSession(app: Api, context: RouteContext): void {
  const { store, clock } = context.daemon
  app.get(
    '/api/session',
    { config: { access: 'viewer' }, schema: { response: { 200: SessionState } } },
    async (request) => {
      const { username, role, csrfToken } = personOf(request)
      return { username, role, csrfToken }
    },
  )
  app.post(
    '/api/logout',
    { config: { access: 'viewer' }, schema: { response: { 200: Done } } },
    async (request, reply) => {
      const { tokenHash, username } = personOf(request)
      store.commit(clock.now(), (tx) => {
        tx.deleteSession(tokenHash)
        tx.event('user.loggedOut', { username })
      })
      reply.clearCookie(context.cookieName, { path: '/', secure: context.secure })
      return { ok: true as const }
    },
  )
  app.post(
    '/api/socket-ticket',
    { config: { access: 'viewer' }, schema: { response: { 200: SocketTicket } } },
    async (request) => ({ ticket: context.sessions.ticket(personOf(request)) }),
  )
}

function addAccounts(app: Api, context: RouteContext): void {
  const { store, clock } = context.daemon
  app.post(
    '/api/accounts',
    { config: { access: 'admin' }, schema: { body: AccountRequest, response: { 201: AccountView, '4xx': ApiError } } },
    async (request, reply) => {
      const { username, password, role } = request.body
      const by = personOf(request).username
      const passwordHash = await hashGoodPassword(password, username)
      store.commit(clock.now(), (tx) => {
        if (store.account(username)) throw new Refusal(409, 'account/exists', `${username} has an account already`)
        tx.putAccount({ username, role, passwordHash, createdAtMs: tx.atMs })
        tx.event('user.created', { username, role, by })
      })
      return reply.status(201).send({ username, role })
    },
  )
}

async function hashGoodPassword(password: string, username: string): Promise<string> {
  const problem = passwordProblem(password, username)
  if (problem) throw new Refusal(400, 'password/weak', problem)
  return hashPassword(password)
}

/** A new session in one transaction with what `prepare` does; the one that the browser held before ends. */
function openSession(
  context: RouteContext,
  request: FastifyRequest,
  reply: FastifyReply,
  username: string,
  prepare: (tx: Transaction) => Role,
): SessionState {
  const { store, clock } = context.daemon
  const old = request.cookies[context.cookieName]
  const opened = store.commit(clock.now(), (tx) => {
    const role = prepare(tx)
    if (old) tx.deleteSession(hashToken(old))
    tx.event('user.loggedIn', { username, address: request.ip })
    return { role, ...context.sessions.begin(tx, username) }
  })
  reply.setCookie(context.cookieName, opened.token, {
    path: '/',
    httpOnly: true,
    sameSite: 'strict',
    secure: context.secure,
    maxAge: sessionAbsoluteMs / 1000,
  })
  return { username, role: opened.role, csrfToken: opened.csrfToken }
}

function refuse(context: RouteContext, request: FastifyRequest, username: string, reason: string): void {
  const { store, clock } = context.daemon
  store.commit(clock.now(), (tx) => tx.event('login.refused', { username, address: request.ip, reason }))
}
