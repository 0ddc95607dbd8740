import { describe, expect, it } from 'vitest'
import { readVoTable } from './votable.ts'

const read = (text: string) => readVoTable(Buffer.from(text))

/** VOTable 1.4 (IVOA Recommendation 2019-10-21), the example of its introduction. */
const standard = `<?xml version="1.0"?>
<VOTABLE version="1.4" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
  <RESOURCE name="myFavouriteGalaxies">
    <TABLE name="results">
      <DESCRIPTION>Velocities and Distance estimations</DESCRIPTION>
      <PARAM name="Telescope" datatype="float" ucd="phys.size;instr.tel" unit="m" value="3.6"/>
      <FIELD name="RA"   ID="col1" ucd="pos.eq.ra;meta.main" ref="J2000" datatype="float" width="6" precision="2" unit="deg"/>
      <FIELD name="Dec"  ID="col2" ucd="pos.eq.dec;meta.main" ref="J2000" datatype="float" width="6" precision="2" unit="deg"/>
      <FIELD name="Name" ID="col3" ucd="meta.id;meta.main" datatype="char" arraysize="8*"/>
      <FIELD name="RVel" ID="col4" ucd="spect.dopplerVeloc" datatype="int" width="5" unit="km/s"/>
      <FIELD name="e_RVel" ID="col5" ucd="stat.error;spect.dopplerVeloc" datatype="int" width="3" unit="km/s"/>
      <FIELD name="R" ID="col6" ucd="pos.distance;pos.heliocentric" datatype="float" width="4" precision="1" unit="Mpc">
        <DESCRIPTION>Distance of Galaxy, assuming H=75km/s/Mpc</DESCRIPTION>
      </FIELD>
      <DATA>
        <TABLEDATA>
        <TR>
          <TD>010.68</TD><TD>+41.27</TD><TD>N  224</TD><TD>-297</TD><TD>5</TD><TD>0.7</TD>
        </TR>
        <TR>
          <TD>287.43</TD><TD>-63.85</TD><TD>N 6744</TD><TD>839</TD><TD>6</TD><TD>10.4</TD>
        </TR>
        <TR>
          <TD>023.48</TD><TD>+30.66</TD><TD>N  598</TD><TD>-182</TD><TD>3</TD><TD>0.7</TD>
        </TR>
        </TABLEDATA>
      </DATA>
    </TABLE>
  </RESOURCE>
</VOTABLE>`

const table = (fields: string, rows: string, status = '<INFO name="QUERY_STATUS" value="OK"/>'): string =>
  `<VOTABLE version="1.1"><RESOURCE type="results">${status}<TABLE>${fields}<DATA><TABLEDATA>${rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>`
const one = '<FIELD name="a" datatype="char" arraysize="*"/>'

describe('a VOTable', () => {
  it('of the standard has the cells that the standard prints', () => {
    const answer = read(standard)
    if (!answer.ok) throw new Error(answer.reason)
    expect(answer.table.rows).toEqual([
      ['010.68', '+41.27', 'N  224', '-297', '5', '0.7'],
      ['287.43', '-63.85', 'N 6744', '839', '6', '10.4'],
      ['023.48', '+30.66', 'N  598', '-182', '3', '0.7'],
    ])
    expect(answer.table.fields.map(({ name, unit }) => `${name} ${unit}`)).toEqual([
      ...['RA deg', 'Dec deg', 'Name ', 'RVel km/s', 'e_RVel km/s', 'R Mpc'],
    ])
    expect(answer.table.fields[3]!.ucd).toBe('spect.dopplerveloc')
  })

  it('may have a prefix, CDATA, entities, comments, nulls, a DTD, and say that rows were left out', () => {
    const text = `<!DOCTYPE VOTABLE SYSTEM "http://us-vo.org/xml/VOTable.dtd"><v:VOTABLE><!-- <TR> --><v:RESOURCE type='results'>
      <v:INFO name="QUERY_STATUS" value="OVERFLOW"/><v:TABLE><v:FIELD name="n" datatype="int" utype="obscore:Access.Size"><v:VALUES null="-1"/></v:FIELD>
      <v:FIELD name="u" datatype="char"/><v:DATA><v:TABLEDATA><v:TR><v:TD>-1</v:TD><v:TD><![CDATA[http://a/?b=1&c=<2>]]></v:TD></v:TR>
      <v:TR><v:TD/><v:TD>http://a/?b=1&amp;c=&#x3c;</v:TD></v:TR></v:TABLEDATA></v:DATA></v:TABLE></v:RESOURCE>
      <v:RESOURCE type="meta"><v:PARAM name="x" datatype="char" value="y"/></v:RESOURCE></v:VOTABLE>`
    const answer = read(text)
    if (!answer.ok) throw new Error(answer.reason)
    expect(answer.table.rows).toEqual([
      ['', 'http://a/?b=1&c=<2>'],
      ['', 'http://a/?b=1&c=<'],
    ])
    expect([answer.table.overflow, answer.table.fields[0]!.utype]).toEqual([true, 'access.size'])
  })

  it('that states an error gives its words', () => {
    // As pyvo's tests have it from a real service.
    const said = `<?xml version="1.0" encoding="UTF-8"?><VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.2" version="1.2"><RESOURCE type="results">
      <INFO name="QUERY_STATUS" value="ERROR">SiaUsageException: failed to parse POS: as3f,13.0</INFO></RESOURCE></VOTABLE>`
    expect(read(said)).toEqual({
      ok: false,
      reason: 'the service says: SiaUsageException: failed to parse POS: as3f,13.0',
    })
  })

  const wrong: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a page of HTML': ['<html><body>Not here</body></html>', /it is no VOTable but <html>/],
    'no XML': ['503 Service Unavailable', /not well-formed|no table/],
    'one that ends early': [standard.slice(0, 1200), /not well-formed|it ends within/],
    'tags that cross': ['<VOTABLE><RESOURCE></VOTABLE></RESOURCE>', /<\/VOTABLE> stands where <\/RESOURCE> was due/],
    'a row with a cell too few': [table(one + one, '<TR><TD>1</TD></TR>'), /row 1 has 1 cells for 2 columns/],
    'a column without a type': [table('<FIELD name="a"/>', ''), /has no datatype/],
    'binary data': [
      `<VOTABLE><RESOURCE><TABLE>${one}<DATA><BINARY2><STREAM encoding="base64">AA==</STREAM></BINARY2></DATA></TABLE></RESOURCE></VOTABLE>`,
      /BINARY2, not TABLEDATA/,
    ],
    'entities of its own': ['<!DOCTYPE V [<!ENTITY a "aaaa">]><VOTABLE>&a;</VOTABLE>', /not well-formed/],
    'tags without end': [`<VOTABLE>${'<GROUP>'.repeat(40)}`, /nest too deep/],
    'an attribute without quotes': ['<VOTABLE version=1.4></VOTABLE>', /not well-formed/],
    nothing: ['', /no table of results/],
  }
  it.each(Object.entries(wrong))('that is %s is refused with the reason', (_, [text, reason]) => {
    expect(read(text)).toEqual({ ok: false, reason: expect.stringMatching(reason) })
  })

  it('with too many rows is refused, and garbage of any kind takes no long time', () => {
    const many = table(one, '<TR><TD>1</TD></TR>'.repeat(20_001))
    expect(read(many)).toEqual({ ok: false, reason: expect.stringMatching(/more than 20000 rows/) })
    const garbage = [
      '<a '.repeat(50_000),
      `<a ${'b="c" '.repeat(20_000)}`,
      '<!--'.repeat(50_000),
      '<![CDATA['.repeat(20_000),
    ]
    for (const text of garbage) expect(read(`<VOTABLE>${text}`).ok).toBe(false)
  })
})
