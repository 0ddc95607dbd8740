import type { Stretch } from '../../contract/api.ts'
import type { Compute } from '../../frames/compute.ts'

export interface PreviewRequest {
  readonly folder: string
  readonly path: string
  readonly width: number
  readonly stretch: Stretch
}

export async function drawPreview(_compute: Compute, _request: PreviewRequest): Promise<Uint8Array> {
  return new Uint8Array(0)
}
