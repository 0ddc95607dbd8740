import type { ReferenceArchive } from './archive.ts'
import { hips2fits } from './hips2fits.ts'
import { panstarrs } from './panstarrs.ts'
import { mast, siaArchive, siaService } from './sia.ts'
import { skyview } from './skyview.ts'

export const serviceNames = ['hips2fits', 'skyview', 'panstarrs', 'mast', 'sia1', 'sia2'] as const
export type ServiceName = (typeof serviceNames)[number]

/** A service, at another address than its own when `url` is given; `sia1` and `sia2` have none of their own. */
export function archiveOf(service: ServiceName, url?: string): ReferenceArchive | undefined {
  if (service === 'hips2fits') return hips2fits(url)
  if (service === 'skyview') return skyview(url)
  if (service === 'panstarrs') return panstarrs(url)
  if (service === 'mast') return siaArchive(url === undefined ? mast : { ...mast, base: url })
  return url === undefined ? undefined : siaArchive(siaService(service === 'sia1' ? 1 : 2, url))
}
