/**
 * Every message of the INDI 1.7 protocol, both ways, as one discriminated union: first by `type` (what happens), then by
 * `kind` (what the vector holds). Names are those of the INDI white paper (Downey 2007) and of libindi, whose additions
 * after the white paper (`pingRequest`, `pingReply`, `len`, `min`/`max`/`step` in `oneNumber`) are included.
 *
 * A client sends `getProperties`, `enableBLOB`, `new`, `pingRequest`, `pingReply`; a server sends the others. A real
 * indiserver also echoes `new` and `getProperties` of other clients, so both sides decode everything.
 */
export type PropertyState = 'Idle' | 'Ok' | 'Busy' | 'Alert'
export type Permission = 'ro' | 'wo' | 'rw'
export type SwitchRule = 'OneOfMany' | 'AtMostOne' | 'AnyOfMany'
export type BlobPolicy = 'Never' | 'Also' | 'Only'
export type Kind = 'text' | 'number' | 'switch' | 'light' | 'blob'

/** Device and property of a vector. Both may be empty: Debian's Receiver Simulator sends such a vector. */
interface Address {
  readonly device: string
  readonly name: string
}

interface Stamped {
  /** ISO 8601 without zone, UTC, as sent (1 s resolution from libindi). */
  readonly timestamp?: string | undefined
  /** For people. */
  readonly message?: string | undefined
}

interface DefinitionHead extends Address, Stamped {
  readonly type: 'def'
  readonly label: string
  readonly group: string
  readonly state: PropertyState
}

interface WritableHead extends DefinitionHead {
  readonly permission: Permission
  /** Worst-case time to react to a `new`, in seconds; 0 when the driver does not say. */
  readonly timeoutSeconds: number
}

export interface TextDefinition {
  readonly name: string
  readonly label: string
  readonly value: string
}
export interface NumberDefinition {
  readonly name: string
  readonly label: string
  /** printf or libindi's `%w.fm`. */
  readonly format: string
  readonly min: number
  readonly max: number
  readonly step: number
  /** NaN when the device sent `nan` or something that is not a number. */
  readonly value: number
}
export interface SwitchDefinition {
  readonly name: string
  readonly label: string
  /** true = On. */
  readonly value: boolean
}
export interface LightDefinition {
  readonly name: string
  readonly label: string
  readonly value: PropertyState
}
export interface BlobDefinition {
  readonly name: string
  readonly label: string
}

export interface DefText extends WritableHead {
  readonly kind: 'text'
  readonly elements: readonly TextDefinition[]
}
export interface DefNumber extends WritableHead {
  readonly kind: 'number'
  readonly elements: readonly NumberDefinition[]
}
export interface DefSwitch extends WritableHead {
  readonly kind: 'switch'
  readonly rule: SwitchRule
  readonly elements: readonly SwitchDefinition[]
}
export interface DefLight extends DefinitionHead {
  readonly kind: 'light'
  readonly elements: readonly LightDefinition[]
}
export interface DefBlob extends WritableHead {
  readonly kind: 'blob'
  readonly elements: readonly BlobDefinition[]
}
export type DefMessage = DefText | DefNumber | DefSwitch | DefLight | DefBlob

interface SetHead extends Address, Stamped {
  readonly type: 'set'
  /** Unchanged when absent. */
  readonly state?: PropertyState | undefined
  readonly timeoutSeconds?: number | undefined
}

export interface TextValue {
  readonly name: string
  readonly value: string
}
export interface NumberValue {
  readonly name: string
  readonly value: number
  /** libindi sends new limits in `oneNumber` (IUUpdateMinMax). */
  readonly min?: number | undefined
  readonly max?: number | undefined
  readonly step?: number | undefined
}
export interface SwitchValue {
  readonly name: string
  readonly value: boolean
}
export interface LightValue {
  readonly name: string
  readonly value: PropertyState
}
export interface BlobValue {
  readonly name: string
  /** Suffix chain as sent: `.fits`, `.fits.fz`, `.bin`, `.stream_jpg`. */
  readonly format: string
  /** Size after decompression, in bytes, as announced in `size`. */
  readonly sizeBytes: number
  /** The decoded content, already cut to the announced `len`. */
  readonly bytes: Uint8Array
}

export interface SetText extends SetHead {
  readonly kind: 'text'
  readonly elements: readonly TextValue[]
}
export interface SetNumber extends SetHead {
  readonly kind: 'number'
  readonly elements: readonly NumberValue[]
}
export interface SetSwitch extends SetHead {
  readonly kind: 'switch'
  readonly elements: readonly SwitchValue[]
}
export interface SetLight extends SetHead {
  readonly kind: 'light'
  readonly elements: readonly LightValue[]
}
export interface SetBlob extends SetHead {
  readonly kind: 'blob'
  readonly elements: readonly BlobValue[]
}
export type SetMessage = SetText | SetNumber | SetSwitch | SetLight | SetBlob

interface NewHead extends Address {
  readonly type: 'new'
  readonly timestamp?: string | undefined
}
export interface NewText extends NewHead {
  readonly kind: 'text'
  readonly elements: readonly TextValue[]
}
export interface NewNumber extends NewHead {
  readonly kind: 'number'
  readonly elements: readonly NumberValue[]
}
export interface NewSwitch extends NewHead {
  readonly kind: 'switch'
  readonly elements: readonly SwitchValue[]
}
export interface NewBlob extends NewHead {
  readonly kind: 'blob'
  readonly elements: readonly BlobValue[]
}
export type NewMessage = NewText | NewNumber | NewSwitch | NewBlob

export interface GetProperties {
  readonly type: 'getProperties'
  /** '' when missing: real drivers exit on that, so always send '1.7'. */
  readonly version: string
  readonly device?: string | undefined
  readonly name?: string | undefined
}
export interface EnableBlob {
  readonly type: 'enableBLOB'
  readonly device: string
  /** Without a name indiserver applies the policy to the whole connection. */
  readonly name?: string | undefined
  readonly policy: BlobPolicy
}
export interface DelProperty extends Stamped {
  readonly type: 'delProperty'
  /** Absent: everything of every device. */
  readonly device?: string | undefined
  /** Absent: the whole device. */
  readonly name?: string | undefined
}
export interface LogMessage extends Stamped {
  readonly type: 'message'
  readonly device?: string | undefined
}
export interface PingRequest {
  readonly type: 'pingRequest'
  readonly uid: string
}
export interface PingReply {
  readonly type: 'pingReply'
  readonly uid: string
}

export type IndiMessage =
  | DefMessage
  | SetMessage
  | NewMessage
  | GetProperties
  | EnableBlob
  | DelProperty
  | LogMessage
  | PingRequest
  | PingReply

/** A violation of the protocol or of a limit: the offending message is dropped and decoding goes on behind it. */
export interface ProtocolFault {
  readonly code: string
  readonly message: string
}
