import type { CurationSettings } from '../contract/config.ts'
import type { DetectionRecord } from '../contract/records.ts'

/**
 * True when a detection is sure enough to be announced without a person: a transient that nobody has judged yet, at least
 * as probable as the threshold (`settings.autoValidateProbability`, 0 to 1).
 */
export function shouldAutoValidate(
  detection: Pick<DetectionRecord, 'class' | 'probability' | 'state' | 'label'>,
  settings: CurationSettings,
): boolean {
  if (detection.state !== 'pending' || detection.label !== undefined) return false
  return detection.class === 'transient' && detection.probability >= settings.autoValidateProbability
}

/** `validatedBy` when no person did it: which judge. */
export function judgeName(model: string): string {
  return `auto:${model}`
}
