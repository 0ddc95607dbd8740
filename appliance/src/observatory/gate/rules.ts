import { cameraRules } from './cameraRules.ts'
import { mountRules } from './mountRules.ts'
import { roofRules } from './roofRules.ts'
import type { Rule } from './rule.ts'
import { siteRules } from './siteRules.ts'

/** Every rule, in the order in which its reason is told. */
export const gateRules: readonly Rule[] = [...siteRules, ...roofRules, ...mountRules, ...cameraRules]
