/** What is said to the camera's thread, and what it answers. */
export interface CameraAddress {
  readonly host: string
  readonly port: number
  /** Of the device service; `/onvif/device_service` by default. */
  readonly path?: string | undefined
  readonly username: string
  readonly password: string
  /** False for cameras that take HTTP's digest only, and choke on WS-Security. */
  readonly useWsSecurity: boolean
}

export type OnvifQuestion =
  | { readonly id: number; readonly method: 'connect' }
  | { readonly id: number; readonly method: 'isMoving' }
  | {
      readonly id: number
      readonly method: 'pointTo'
      readonly pan: number
      readonly tilt: number
      readonly zoom: number
    }

export interface OnvifResults {
  readonly connect: {
    readonly model: string | undefined
    /** The camera's clock minus ours. */
    readonly clockOffsetSeconds: number | undefined
    readonly canTurn: boolean
    readonly snapshotUri: string | undefined
    readonly streamUri: string | undefined
  }
  readonly isMoving: boolean
  readonly pointTo: undefined
}

export type OnvifAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly reason: string }
