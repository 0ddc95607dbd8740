import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { FitsHeader, type HeaderEntries } from '../../frames/fits/header.ts'
import { encodeFits } from '../../frames/fits/write.ts'
import type { PictureRequest, ReferenceArchive } from './archive.ts'
import { nearestBand, sloanBands, wavelengthOf } from './bands.ts'
import { createDownload, downloadLimits } from './download.ts'
import { hips2fits, hipsFor } from './hips2fits.ts'
import { panstarrs } from './panstarrs.ts'
import { lookAtPicture } from './picture.ts'
import { archiveOf } from './services.ts'
import { skyview } from './skyview.ts'
import { type Answer, archiveServer, PatientClock } from './testing/archiveServer.ts'

const request: PictureRequest = {
  ...{ raDeg: 180, decDeg: 20, widthDeg: 0.2, heightDeg: 0.1, scaleArcsecPerPixel: 1, filter: 'r' },
}

function fits(cards: HeaderEntries = {}, size = 16): Buffer {
  const header = FitsHeader.from({}).withAll({
    ...{ CTYPE1: 'RA---TAN', CTYPE2: 'DEC--TAN', CRVAL1: 180, CRVAL2: 20, CRPIX1: 8.5, CRPIX2: 8.5 },
    ...{ CDELT1: -1 / 3600, CDELT2: 1 / 3600, LONPOLE: 180, LATPOLE: 20 },
    ...cards,
  })
  const data = Float32Array.from({ length: size * size }, (_, i) => i % 7)
  return Buffer.from(encodeFits([{ header, data: { width: size, height: size, data } }]))
}

const sendFits: Answer = (_, __, response) => {
  response.setHeader('content-type', 'image/fits')
  response.end(fits())
}

const make = (clock = new PatientClock(), ask: typeof fetch = fetch) => createDownload({ fetch: ask, clock })

async function askOf(answer: Answer, service: (url: string) => ReferenceArchive, change: Partial<PictureRequest> = {}) {
  await using server = await archiveServer(answer)
  const clock = new PatientClock()
  const got = await service(server.url).ask({ ...request, ...change }, make(clock))
  return { got, asked: server.asked, clock }
}

describe('hips2fits', () => {
  it('is asked for the field in the pixels of the frames', async () => {
    const { got, asked } = await askOf(sendFits, hips2fits)
    // Parameters of the CDS' service as astroquery.hips2fits sends them.
    expect(Object.fromEntries(asked[0]!.searchParams)).toEqual({
      ...{ hips: 'CDS/P/PanSTARRS/DR1/r', width: '720', height: '360', projection: 'TAN', coordsys: 'icrs' },
      ...{ rotation_angle: '0', ra: '180', dec: '20', fov: '0.2', format: 'fits' },
    })
    expect(got).toMatchObject({
      ok: true,
      picture: { service: 'hips2fits', survey: 'CDS/P/PanSTARRS/DR1/r', kind: 'ccd', bytes: fits() },
    })
    expect(got.ok && got.picture.credit).toMatch(/provided by CDS/)
  })

  it('is asked for plates where Pan-STARRS did not look', () => {
    expect(hipsFor({ ...request, decDeg: -45, filter: 'R' })).toBe('CDS/P/DSS2/red')
    expect(hipsFor({ ...request, filter: 'Lum' })).toBe('CDS/P/PanSTARRS/DR1/r')
    expect(hipsFor({ ...request, filter: 'my own' })).toBeUndefined()
  })

  it('says what it has against the question: a page of its errors is JSON', async () => {
    const { got } = await askOf(
      (_, __, response) => {
        response.writeHead(400, { 'content-type': 'application/json' })
        response.end('{"title": "Bad request", "description": "Unknown HiPS: CDS/P/nothing"}')
      },
      hips2fits,
      { survey: 'CDS/P/nothing' },
    )
    expect(got).toEqual({
      ok: false,
      reason: expect.stringMatching(
        /^hips2fits: 127.0.0.1:\d+ answers 400: Bad request: Unknown HiPS: CDS\/P\/nothing$/,
      ),
    })
  })
})

describe('SkyView', () => {
  it('is asked by its batch address', async () => {
    const { asked, got } = await askOf(sendFits, skyview, { filter: 'R' })
    // Keys of SkyView-in-a-Jar, as its manual page lists them.
    expect(Object.fromEntries(asked[0]!.searchParams)).toEqual({
      ...{ Position: '180,20', Survey: 'DSS2 Red', Coordinates: 'ICRS', Projection: 'Tan', Size: '0.2,0.1' },
      ...{ Pixels: '720,360', Sampler: 'Clip', Return: 'FITS' },
    })
    expect(got).toMatchObject({ ok: true, picture: { kind: 'plates' } })
  })

  it('that answers 200 with a page of HTML is refused with the words of the page', async () => {
    const page = `<html><head><title>SkyView</title><style>b{}</style></head><body><h2>Fatal error</h2>
      <p>Unable to recognize target: <b>&lt;none&gt;</b></p></body></html>`
    const { got } = await askOf((_, __, response) => {
      response.setHeader('content-type', 'text/html')
      response.end(page)
    }, skyview)
    expect(got).toEqual({
      ok: false,
      reason: 'SkyView sent no picture: Fatal error Unable to recognize target: <none>',
    })
  })
})

describe('Pan-STARRS', () => {
  const table = [
    'projcell subcell ra dec filter mjd type filename shortname badflag',
    '2001 043 180.0 20.0 g 0 stack /rings.v3.skycell/2001/043/rings.v3.skycell.2001.043.stk.g.unconv.fits rings.v3.skycell.2001.043.stk.g.unconv.fits 0',
    '2001 043 180.0 20.0 r 0 stack /rings.v3.skycell/2001/043/rings.v3.skycell.2001.043.stk.r.unconv.fits rings.v3.skycell.2001.043.stk.r.unconv.fits 0',
  ].join('\n')
  const answer: Answer = (url, request, response) => {
    if (url.pathname.endsWith('/ps1filenames.py')) response.end(table)
    else sendFits(url, request, response)
  }

  it('is asked for the name of the stack, then for a cutout in its own pixels', async () => {
    const { asked, got } = await askOf(answer, (url) => panstarrs(`${url}/cgi-bin`))
    expect(got).toMatchObject({ ok: true, picture: { survey: 'PS1 3pi stack r', kind: 'ccd' } })
    expect(asked.map(({ pathname }) => pathname)).toEqual(['/cgi-bin/ps1filenames.py', '/cgi-bin/fitscut.cgi'])
    expect(Object.fromEntries(asked[1]!.searchParams)).toEqual({
      red: '/rings.v3.skycell/2001/043/rings.v3.skycell.2001.043.stk.r.unconv.fits',
      ...{ format: 'fits', ra: '180', dec: '20', size: '2880' },
    })
  })

  it('says before it asks what Pan-STARRS cannot have', async () => {
    const why = async (change: Partial<PictureRequest>) => {
      const { got, asked } = await askOf(answer, panstarrs, change)
      return [asked.length, got.ok ? '' : got.reason]
    }
    expect(await why({ decDeg: -31 })).toEqual([0, expect.stringMatching(/south/)])
    expect(await why({ widthDeg: 1 })).toEqual([
      0,
      expect.stringMatching(/at most 0.433° wide, not 1.00°: take hips2fits/),
    ])
    expect(await why({ filter: 'CH4' })).toEqual([0, expect.stringMatching(/nothing is known of the filter "CH4"/)])
    expect(await why({ filter: 'y' })).toEqual([1, expect.stringMatching(/no stack in y there/)])
  })

  it('that lists no files is refused with what it says instead', async () => {
    const { got } = await askOf((_, __, response) => response.end('<p>Database error</p>'), panstarrs)
    expect(got).toEqual({ ok: false, reason: 'Pan-STARRS: it lists no files: Database error' })
  })
})

const sia1 = (
  base: string,
  rows: string,
): string => `<VOTABLE version="1.1"><RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>
  <FIELD name="Survey" ucd="VOX:Image_Title" datatype="char" arraysize="*"/><FIELD name="Ra" ucd="POS_EQ_RA_MAIN" datatype="double"/>
  <FIELD name="Dec" ucd="POS_EQ_DEC_MAIN" datatype="double"/><FIELD name="Size" ucd="VOX:Image_Naxis" datatype="int" arraysize="*"/>
  <FIELD name="Scale" ucd="VOX:Image_Scale" datatype="double" arraysize="*"/><FIELD name="Format" ucd="VOX:Image_Format" datatype="char" arraysize="*"/>
  <FIELD name="Band" ucd="VOX:BandPass_ID" datatype="char" arraysize="*"/><FIELD name="PixFlags" ucd="VOX:Image_PixFlags" datatype="char" arraysize="*"/>
  <FIELD name="Date" ucd="VOX:Image_MJDateObs" datatype="double"/><FIELD name="URL" ucd="VOX:Image_AccessReference" datatype="char" arraysize="*"/>
  <DATA><TABLEDATA>${rows.replaceAll('$', base)}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>`
const row = (...cells: string[]): string => `<TR>${cells.map((cell) => `<TD>${cell}</TD>`).join('')}</TR>`
const degrees = '-0.000277 0.000277'

describe('Simple Image Access', () => {
  const lists =
    (text: (base: string) => string): Answer =>
    (url, request, response) => {
      if (url.pathname.startsWith('/image/')) return sendFits(url, request, response)
      response.setHeader('content-type', 'text/xml')
      response.end(text(`http://${request.headers.host}`))
    }

  it('1.0 is asked by POS and SIZE, and the best image is taken: field, filter, scale, then the newest', async () => {
    const rows = [
      row('next door', '180.3', '20', '1000 1000', degrees, 'image/fits', 'r', 'C', '59000', '$/image/door'),
      row('blue', '180', '20', '1000 1000', degrees, 'image/fits', 'g', 'C', '59500', '$/image/blue'),
      row('preview', '180', '20', '1000 1000', degrees, 'image/fits', 'r', 'FV', '59900', '$/image/preview'),
      row('jpeg', '180', '20', '1000 1000', degrees, 'image/jpeg', 'r', 'C', '59900', '$/image/jpeg'),
      row('coarse', '180', '20', '100 100', '-0.00277 0.00277', 'image/fits', 'r', 'C', '59900', '$/image/coarse'),
      row('old', '180', '20', '1000 1000', degrees, 'image/fits', 'r.MP9601', 'C', '50000', '$/image/old'),
      row('new', '180.01', '20', '1000 1000', degrees, 'image/fits', 'r', 'C', '58000', '$/image/new'),
    ]
    const { asked, got } = await askOf(
      lists((base) => sia1(base, rows.join(''))),
      (url) => archiveOf('mast', `${url}/siap`)!,
    )
    expect(Object.fromEntries(asked[0]!.searchParams)).toEqual({
      // SIZE along the parallel is in right ascension: 0.2° / cos 20°.
      ...{ POS: '180,20', SIZE: '0.21284,0.1', FORMAT: 'image/fits', INTERSECT: 'OVERLAPS' },
    })
    expect(asked[1]!.pathname).toBe('/image/new')
    expect(got).toMatchObject({
      ok: true,
      // MJD 58000 is 2017-09-04.
      picture: {
        service: 'mast',
        observedAtMs: Date.UTC(2017, 8, 4),
        survey: 'new: 100 % of the field, the best of 2',
      },
    })
  })

  const sia2 = (base: string, rows: string): string => {
    const names = ['obs_id', 'dataproduct_type', 's_region', 's_resolution', 't_exptime', 't_min', 'em_min', 'em_max']
    const fields = [...names, 'access_url', 'access_format'].map(
      (name) => `<FIELD name="${name}" datatype="char" arraysize="*"/>`,
    )
    return `<VOTABLE version="1.3"><RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>${fields.join('')}<DATA><TABLEDATA>${rows.replaceAll('$', base)}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>`
  }
  const square = 'polygon 179.8 19.8 180.2 19.8 180.2 20.2 179.8 20.2'
  const red = ['5.5e-7', '7.0e-7'] as const

  it('2.0 is asked for a circle, and of images that cover the field in its light the deepest is taken', async () => {
    const rows = [
      row(
        'links',
        'image',
        square,
        '1',
        '900',
        '58000',
        ...red,
        '$/image/links',
        'application/x-votable+xml;content=datalink',
      ),
      row('cube', 'cube', square, '1', '900', '58000', ...red, '$/image/cube', 'application/fits'),
      row(
        'infrared',
        'image',
        square,
        '1',
        '900',
        '58000',
        '1.17e-6',
        '1.33e-6',
        '$/image/infrared',
        'application/fits',
      ),
      row(
        'half',
        'image',
        'POLYGON ICRS 179.8 19.8 180 19.8 180 20.2 179.8 20.2',
        '1',
        '900',
        '58000',
        ...red,
        '$/image/half',
        'image/fits',
      ),
      row('shallow', 'image', square, '0.8', '30', '59000', ...red, '$/image/shallow', 'image/fits'),
      row(
        'deep',
        'image',
        'Circle ICRS 180.0 20.0 0.5',
        '1.4',
        '600',
        '57000',
        ...red,
        '$/image/deep',
        'application/fits',
      ),
    ]
    const { asked, got } = await askOf(
      lists((base) => sia2(base, rows.join(''))),
      (url) => archiveOf('sia2', `${url}/v2query`)!,
    )
    expect(Object.fromEntries(asked[0]!.searchParams)).toEqual({
      ...{ POS: 'CIRCLE 180 20 0.11180', DPTYPE: 'image', MAXREC: '500', RESPONSEFORMAT: 'votable' },
    })
    expect(asked[1]!.pathname).toBe('/image/deep')
    expect(got).toMatchObject({ ok: true, picture: { service: expect.stringMatching(/^sia2 127/) } })
  })

  it('says why no image will do', async () => {
    const why = async (rows: string, change: Partial<PictureRequest> = {}) => {
      const { got } = await askOf(
        lists((base) => sia1(base, rows)),
        (url) => archiveOf('sia1', url)!,
        change,
      )
      return got.ok ? '' : got.reason.replace(/^sia1 [\d.:]+: /, '')
    }
    const good = row('new', '180', '20', '1000 1000', degrees, 'image/fits', 'r', 'C', '58000', '$/image/new')
    expect(await why('')).toBe('it has no FITS image there')
    expect(await why(good, { filter: 'B' })).toBe('none of its 1 images there was taken through B (there are r)')
    expect(await why(good, { raDeg: 181 })).toMatch(/none of its 1 images there covers 60 %/)
    expect(await why(good, { survey: 'other' })).toBe('none of its 1 images there is called other')
    expect(
      await why(row('x', '180', '20', '9 9', degrees, 'image/fits', 'r', 'C', '1', 'ftp://a/b'), {
        widthDeg: 0.002,
        heightDeg: 0.002,
      }),
    ).toMatch(/no address of the web/)
  })
})

describe('a download', () => {
  const get = async (answer: Answer, limit = 1e6, ask: typeof fetch = fetch) => {
    await using server = await archiveServer(answer)
    const clock = new PatientClock()
    const got = await make(clock, ask)(`${server.url}/start`, limit)
    return { got, clock, asked: server.asked, reason: got.ok ? '' : got.reason.replaceAll(/127.0.0.1:\d+/g, 'HOST') }
  }

  it('follows redirects, and takes gzip off', async () => {
    const { got, asked } = await get((url, _, response) => {
      if (url.pathname === '/start') return response.writeHead(302, { location: '/next' }).end()
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'Image/FITS; charset=binary' })
      response.end(gzipSync(fits()))
    })
    expect(got).toMatchObject({ ok: true, bytes: fits(), type: 'image/fits', url: expect.stringMatching(/\/next$/) })
    expect(asked).toHaveLength(2)
  })

  it('does not go round in circles, nor to other places than the web', async () => {
    expect((await get((_, __, response) => response.writeHead(302, { location: '/start' }).end())).reason).toBe(
      'HOST sends us on more than 5 times',
    )
    expect(
      (await get((_, __, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end())).reason,
    ).toBe('file:///etc/passwd is no address of the web')
  })

  it('waits and asks again while a server is busy, as long as it says within reason', async () => {
    let times = 0
    const { got, clock } = await get((_, __, response) => {
      if (++times === 3) return response.end('here')
      response.writeHead(503, times === 1 ? { 'retry-after': '30' } : { 'retry-after': '86400' }).end('busy')
    })
    expect(got).toMatchObject({ ok: true, bytes: Buffer.from('here') })
    expect(clock.waits).toEqual([30_000, 60_000])
  })

  it('gives up after three tries, and at once where asking again is of no use', async () => {
    const busy = await get((_, __, response) => response.writeHead(500).end('<h1>Oops</h1>'))
    expect([busy.asked.length, busy.reason]).toEqual([3, 'HOST answers 500: Oops'])
    const gone = await get((_, __, response) => response.writeHead(404).end())
    expect([gone.asked.length, gone.reason]).toEqual([1, 'HOST answers 404'])
  })

  it('stops at its limit of bytes, announced or not, and when the answer breaks off', async () => {
    const big = Buffer.alloc(2_000_000)
    const announced = await get((_, __, response) => response.writeHead(200, { 'content-length': big.length }).end(big))
    expect(announced.reason).toBe('HOST would send 1.9 MiB, the limit is 1.0 MiB')
    const packed = await get((_, __, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(big))
    })
    expect(packed.reason).toBe('HOST sends more than the limit of 1.0 MiB')
    const broken = await get((_, __, response) => {
      response.writeHead(200, { 'content-length': 5000 })
      response.write('SIMPLE', () => response.destroy())
    })
    expect([broken.asked.length, broken.reason]).toEqual([3, 'HOST broke off in the middle of its answer'])
  })

  it('does not wait longer than its limit for a server that says nothing, nor for the rest of an answer', async () => {
    for (const start of ['', 'SIMPLE']) {
      await using server = await archiveServer((_, __, response) => {
        if (start !== '') response.write(start)
        clock.reachLimit()
      })
      const clock = new PatientClock()
      const got = await make(clock)(`${server.url}/slow`, 1e6)
      expect(got.ok ? '' : got.reason).toMatch(/did not answer in 120 s; try again later/)
      expect(server.asked).toHaveLength(downloadLimits.tries)
    }
  })

  it('says that there is no network, no server, or that Nightjar is being stopped', async () => {
    const nowhere: typeof fetch = async () => {
      const cause = Object.assign(new Error('getaddrinfo ENOTFOUND a.example'), { code: 'ENOTFOUND' })
      throw new TypeError('fetch failed', { cause })
    }
    const got = await make(new PatientClock(), nowhere)('https://a.example/x', 10)
    expect(got).toEqual({ ok: false, reason: 'a.example cannot be found (ENOTFOUND): is there a network?' })
    let url = ''
    {
      await using server = await archiveServer(sendFits)
      url = server.url
    }
    expect(await make()(url, 1e6)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/does not answer \(ECONNREFUSED\)/),
    })
    const stop = new AbortController()
    await using server = await archiveServer(() => stop.abort())
    const stopped = createDownload({ fetch, clock: new PatientClock(), signal: stop.signal })
    expect(await stopped(server.url, 10)).toMatchObject({
      ok: false,
      reason: expect.stringMatching(/is being stopped/),
    })
    expect(server.asked).toHaveLength(1)
  })
})

describe('a picture', () => {
  const why = (bytes: Uint8Array, change: Partial<PictureRequest> = {}): string => {
    const looked = lookAtPicture(bytes, { ...request, ...change }, 'it')
    return looked.ok ? `bin ${looked.facts.bin}` : looked.reason
  }

  it('is brought near to the scale of the frames by summing whole pixels', () => {
    // Pan-STARRS: 0.25″, with the keywords of the drafts of the standard.
    const draft = {
      CDELT1: 6.94444461259988e-5,
      CDELT2: 6.94444461259988e-5,
      PC001001: -1,
      PC001002: 0,
      PC002001: 0,
      PC002002: 1,
    }
    expect(why(fits(draft))).toBe('bin 4')
    expect(why(fits(draft), { scaleArcsecPerPixel: 0.6 })).toBe('bin 2')
    expect(why(fits())).toBe('bin 1')
    const looked = lookAtPicture(fits(draft), request, 'it')
    expect(looked.ok && looked.facts.wcs.cd[0]).toBeLessThan(0)
  })

  it('is refused when it has no place, another place, no fluxes or pixels too coarse', () => {
    expect(why(fits({ CTYPE1: 'LINEAR' }))).toMatch(/does not say where it lies on the sky/)
    expect(why(fits({ CRVAL1: 190 }))).toMatch(/it shows another place, 9.\d+° from the field/)
    expect(why(fits({ BSOFTEN: 100, BOFFSET: 0 }))).toMatch(/asinh magnitudes/)
    expect(why(fits({ EQUINOX: 1950 }))).toMatch(/equinox 1950/)
    expect(why(fits(), { scaleArcsecPerPixel: 0.4 })).toMatch(
      /its pixels of 1.00″ are too coarse for frames with 0.40″/,
    )
    expect(why(fits().subarray(0, 2900))).toMatch(/promises \d+ bytes/)
    expect(why(gzipSync(fits()))).toBe('bin 1')
  })
})

describe('the name of a filter', () => {
  it.each([
    ['R', 641],
    ['r', 617],
    ["r'", 617],
    ['sdss_g', 481],
    ['Johnson V', 545],
    ['Lum', 617],
    ['Ha', 656],
    ['zs', undefined],
  ] as const)('%s means a wavelength', (filter, nm) => {
    expect(wavelengthOf(filter)).toBe(nm)
  })

  it('finds the band nearest to it, none when all are far', () => {
    expect(nearestBand('V', sloanBands)).toBe('g')
    expect(nearestBand('B', sloanBands)).toBe('g')
    expect(nearestBand('U', { y: 962 })).toBeUndefined()
  })
})
