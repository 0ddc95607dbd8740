/** Three significant digits, never in powers of ten. */
export function formatNumber(value: number | null): string {
  if (value === null) return ''
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 6))
}
