/** From the controller's ADC sums (16 results of 10 bits, reference = supply) to air temperature and humidity. */

/** 16 × 1024: the sum that the supply itself would give. */
const fullScale = 16 * 1024
/** Nearer to either end than this, the wire is broken or shorted. */
const edgeSum = 16 * 8

/**
 * Vishay NTCLE100E3103 (10 kΩ, B25/85 = 3977 K): 1/T = A + B ln(R/R25) + C ln²(R/R25) + D ln³(R/R25), the data sheet's
 * coefficients (document 29049).
 */
const thermistor = { a: 3.354016e-3, b: 2.56985e-4, c: 2.620131e-6, d: 6.383091e-8 } as const

/** The thermistor stands between the input and ground, a resistor of its 25 °C value between the input and the supply. */
export function temperatureC(sum: number): number | undefined {
  if (sum < edgeSum || sum > fullScale - edgeSum) return undefined
  const ln = Math.log(sum / (fullScale - sum))
  const { a, b, c, d } = thermistor
  return 1 / (a + ln * (b + ln * (c + ln * d))) - 273.15
}

/**
 * Honeywell HIH-4030 (data sheet, "Voltage output (1st order curve fit)" and "Temperature compensation"):
 * Vout = Vsupply (0.0062 sensorRH + 0.16), RH = sensorRH / (1.0546 − 0.00216 T). Without a temperature that of 25 °C.
 */
export function humidityPercent(sum: number, atC: number | undefined): number | undefined {
  const ratio = sum / fullScale
  if (ratio < 0.1 || ratio > 0.95) return undefined
  const sensor = (ratio - 0.16) / 0.0062
  return Math.min(100, Math.max(0, sensor / (1.0546 - 0.00216 * (atC ?? 25))))
}
