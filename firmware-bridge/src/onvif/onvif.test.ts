import { describe, expect, it } from 'vitest'
import { systemClock as clock } from '../clock.ts'
import { createRandom } from '../random.ts'
import { startSimulatedOnvifCamera } from '../simulators/onvifCamera.ts'
import { discoverOnvif, parseProbeMatch } from './discovery.ts'
import { authorize, parseChallenge } from './httpDigest.ts'

describe('HTTP digest', () => {
  // RFC 7616, section 3.9.1: the same request by SHA-256 and by MD5.
  const header =
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, ' +
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
  const request = {
    method: 'GET',
    uri: '/dir/index.html',
    username: 'Mufasa',
    password: 'Circle of Life',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  }

  it('gives the responses that the standard prints', () => {
    const sha = authorize(parseChallenge(header)!, request)
    expect(sha).toContain('response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"')
    const md5 = authorize(parseChallenge(header.replace('SHA-256', 'MD5'))!, request)
    expect(md5).toContain('response="8ca523f5e9506fed4657c9700eebdbec"')
  })

  it('takes the stronger of two challenges, and none that it cannot answer', () => {
    const two = 'Digest realm="a", nonce="1", qop="auth", Digest realm="a", nonce="2", algorithm=SHA-256, qop="auth"'
    expect(parseChallenge(two)).toMatchObject({ algorithm: 'SHA-256', nonce: '2' })
    expect(parseChallenge('Digest realm="a", nonce="1"')).toMatchObject({ algorithm: 'MD5', qop: false })
    expect(parseChallenge('Digest realm="a", nonce="1", qop="auth-int"')).toBeUndefined()
    expect(parseChallenge('Digest realm="a", nonce="1", algorithm=SHA-512-256')).toBeUndefined()
    expect(parseChallenge('Basic realm="a"')).toBeUndefined()
  })

  it('reads 200,000 bytes of noise without a throw', () => {
    const random = createRandom('digest noise')
    const pieces = ['Digest ', 'realm="', 'nonce=', '"', '\\', ',', 'qop="auth"', 'algorithm=MD5', ' ', '=']
    for (let sent = 0; sent < 200_000; ) {
      let text = 'Digest '
      for (let count = random.integer(40); count > 0; count--) {
        text += (pieces[random.integer(pieces.length)] ?? '') + String.fromCharCode(32 + random.integer(96))
      }
      sent += text.length
      const challenge = parseChallenge(text)
      if (challenge) expect(authorize(challenge, request)).not.toContain('\n')
    }
  })
})

describe('WS-Discovery', () => {
  it('finds a camera, where it is and where it says that it is', async () => {
    await using camera = await startSimulatedOnvifCamera({ clock, claimedAddress: '192.0.2.7:80' })
    const found = await discoverOnvif({ clock, waitMs: 200, address: '127.0.0.1', port: camera.discoveryPort })
    expect(found).toEqual([
      {
        endpoint: 'urn:uuid:5f5a69c2-e0ae-504f-829b-00c0ffee0001',
        host: '127.0.0.1',
        services: ['http://192.0.2.7:80/onvif/device_service'],
        name: 'All Sky',
      },
    ])
  })

  it('takes no answer to another question, and reads 200,000 bytes of noise without a throw', () => {
    const real =
      '<e:Envelope><e:Header><w:RelatesTo>id</w:RelatesTo></e:Header><d:ProbeMatch><w:EndpointReference><w:Address>urn:x</w:Address>' +
      '</w:EndpointReference><d:Scopes>onvif://www.onvif.org/name/%</d:Scopes><d:XAddrs>http://a/b ftp://c nonsense</d:XAddrs></d:ProbeMatch></e:Envelope>'
    expect(parseProbeMatch(real, '1.2.3.4', 'id')).toEqual({
      endpoint: 'urn:x',
      host: '1.2.3.4',
      services: ['http://a/b'],
      name: '%',
    })
    expect(parseProbeMatch(real, '1.2.3.4', 'another')).toBeUndefined()
    const random = createRandom('probe noise')
    for (let sent = 0; sent < 200_000; sent += real.length) {
      const at = random.integer(real.length)
      parseProbeMatch(
        real.slice(0, at) + String.fromCharCode(random.integer(256)) + real.slice(at + random.integer(9)),
        'h',
        'id',
      )
    }
  })
})
