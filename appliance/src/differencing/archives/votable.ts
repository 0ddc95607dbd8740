/**
 * Answers of the Virtual Observatory: VOTable 1.4 (IVOA Recommendation 2019-10-21), as far as services of images use it:
 * one table of results whose data are TABLEDATA (section 5.1). Read strictly: what is not well formed is refused with the
 * reason, and nothing in it can make this take long or grow large.
 */
export interface VoField {
  readonly name: string
  readonly id: string
  /** Lower case. */
  readonly ucd: string
  /** Lower case, without the namespace. */
  readonly utype: string
  readonly unit: string
  readonly datatype: string
  /** The value that stands for none. */
  readonly nullText: string | undefined
}

export interface VoTable {
  readonly fields: readonly VoField[]
  /** Cells as written, trimmed; '' where there is no value. */
  readonly rows: readonly (readonly string[])[]
  /** The service left rows out (QUERY_STATUS OVERFLOW; DALI 1.1, section 4.4). */
  readonly overflow: boolean
}

export type VoAnswer = { readonly ok: true; readonly table: VoTable } | { readonly ok: false; readonly reason: string }

const mostDepth = 24
const mostRows = 20_000
const mostFields = 400

/** A tag, a CDATA section, a comment or an instruction, with the text before it. */
const piece =
  /([^<]*)(?:<!\[CDATA\[([\s\S]*?)\]\]>|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!DOCTYPE\s[^[>]*>|<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>)/y
const attribute = /([\w.:-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g
const namedEntities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** The five entities of XML and numbered characters. */
function resolved(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(lt|gt|amp|quot|apos));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return namedEntities[String(name).toLowerCase()] ?? whole
    const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

class Reading {
  readonly #stack: string[] = []
  #fields: VoField[] = []
  #rows: string[][] = []
  #row: string[] | undefined
  #text = ''
  #status: { value: string; text: string } | undefined
  #isResults = true
  #done = false
  #sawTable = false
  #sawData = false
  #failure: string | undefined

  get failure(): string | undefined {
    return this.#failure
  }

  open(name: string, attributes: ReadonlyMap<string, string>): void {
    this.#stack.push(name)
    this.#text = ''
    if (this.#stack.length > mostDepth) this.#fail('its tags nest too deep')
    if (this.#stack.length === 1 && name !== 'VOTABLE') this.#fail(`it is no VOTable but <${name.slice(0, 40)}>`)
    if (name === 'RESOURCE' && this.#stack.length === 2) {
      // SIA 1.0, section 4.2.2: type="results"; older services leave it out.
      const type = attributes.get('type') ?? 'results'
      this.#isResults = type === 'results' && !this.#done
    }
    if (name === 'INFO' && attributes.get('name') === 'QUERY_STATUS')
      this.#status = { value: (attributes.get('value') ?? '').trim().toUpperCase(), text: '' }
    if (this.#isResults) this.#inResults(name, attributes)
  }

  #inResults(name: string, attributes: ReadonlyMap<string, string>): void {
    if (name === 'TABLE') {
      if (this.#sawTable) this.#fail('it has several tables of results')
      this.#sawTable = true
    }
    const parent = this.#stack.at(-2)
    if (name === 'FIELD' && parent === 'TABLE') this.#field(attributes)
    if (name === 'VALUES' && parent === 'FIELD') this.#null(attributes.get('null'))
    if (name === 'BINARY' || name === 'BINARY2' || name === 'FITS') this.#fail(`its data are ${name}, not TABLEDATA`)
    if (name === 'TABLEDATA') this.#sawData = true
    if (name === 'TR' && parent === 'TABLEDATA') this.#row = []
  }

  #field(attributes: ReadonlyMap<string, string>): void {
    const of = (key: string): string => (attributes.get(key) ?? '').trim()
    if (this.#sawData) this.#fail('it names a column behind its data')
    if (of('datatype') === '') this.#fail(`its column ${of('name')} has no datatype`)
    const utype = of('utype')
      .toLowerCase()
      .replace(/^[^:]*:/, '')
    this.#fields.push({
      ...{ name: of('name'), id: of('ID'), ucd: of('ucd').toLowerCase(), utype, unit: of('unit') },
      ...{ datatype: of('datatype'), nullText: undefined },
    })
    if (this.#fields.length > mostFields) this.#fail(`it has more than ${mostFields} columns`)
  }

  #null(text: string | undefined): void {
    const last = this.#fields.at(-1)
    if (last && text !== undefined) this.#fields[this.#fields.length - 1] = { ...last, nullText: text.trim() }
  }

  text(text: string): void {
    this.#text += text
  }

  close(name: string): void {
    const due = this.#stack.pop()
    if (due !== name) return this.#fail(`</${name}> stands where </${due ?? 'nothing'}> was due`)
    if (name === 'INFO' && this.#status && this.#status.text === '') this.#status.text = this.#text.trim()
    if (this.#isResults && name === 'TD') this.#cell()
    if (this.#isResults && name === 'TR') this.#endRow()
    if (name === 'RESOURCE' && this.#stack.length === 1 && this.#isResults) this.#done = true
    this.#text = ''
  }

  #cell(): void {
    const column = this.#fields[this.#row?.length ?? 0]
    const text = this.#text.trim()
    this.#row?.push(text === column?.nullText ? '' : text)
  }

  #endRow(): void {
    const row = this.#row ?? []
    if (row.length !== this.#fields.length)
      this.#fail(`row ${this.#rows.length + 1} has ${row.length} cells for ${this.#fields.length} columns`)
    this.#rows.push(row)
    this.#row = undefined
    if (this.#rows.length > mostRows) this.#fail(`it has more than ${mostRows} rows`)
  }

  #fail(reason: string): void {
    this.#failure ??= reason
  }

  answer(): VoAnswer {
    const status = this.#status
    if (status?.value === 'ERROR') return { ok: false, reason: `the service says: ${status.text || 'ERROR'}` }
    if (this.#failure !== undefined) return { ok: false, reason: this.#failure }
    if (this.#stack.length > 0) return { ok: false, reason: `it ends within <${this.#stack.at(-1)}>` }
    if (!this.#sawTable) return { ok: false, reason: 'it holds no table of results' }
    return { ok: true, table: { fields: this.#fields, rows: this.#rows, overflow: status?.value === 'OVERFLOW' } }
  }
}

/** Reads one answer. An error that the service states (QUERY_STATUS ERROR) comes back as its words. */
export function readVoTable(bytes: Uint8Array): VoAnswer {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\uFEFF/, '')
  const reading = new Reading()
  piece.lastIndex = 0
  let at = 0
  for (let match = piece.exec(text); match && reading.failure === undefined; match = piece.exec(text)) {
    const [, before = '', data, slash = '', name, list = '', selfClosing] = match
    at = piece.lastIndex
    reading.text(resolved(before))
    if (data !== undefined) reading.text(data)
    if (name === undefined) continue
    const local = name.replace(/^.*:/, '')
    if (slash === '/') reading.close(local)
    else {
      reading.open(local, attributesOf(list))
      if (selfClosing === '/') reading.close(local)
    }
  }
  if (reading.failure === undefined && text.slice(at).trim() !== '')
    return { ok: false, reason: `it is not well-formed XML at ${JSON.stringify(text.slice(at, at + 40))}` }
  return reading.answer()
}

function attributesOf(list: string): Map<string, string> {
  const attributes = new Map<string, string>()
  for (const [, name = '', double, single] of list.matchAll(attribute))
    attributes.set(name, resolved(double ?? single ?? ''))
  return attributes
}
