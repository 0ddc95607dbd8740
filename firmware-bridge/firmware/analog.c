#include "analog.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <stdbool.h>

#include "board.h"

static volatile uint16_t results[ADC_CHANNELS];
static volatile uint8_t channel;
static uint16_t sums[ADC_CHANNELS];
static bool filled;

/* Supply as reference: thermistors and the humidity sensor are ratiometric to it (section 24.9.1). */
static void convert(void) {
  ADMUX = _BV(REFS0) | channel;
  ADCSRA |= _BV(ADSC);
}

void analog_start(void) {
  /* Digital input buffers off where voltages are between levels (section 24.9.5); 125 kHz ADC clock (section 24.4). */
  DIDR0 = _BV(ADC0D) | _BV(ADC1D) | _BV(ADC2D) | _BV(ADC3D);
  ADCSRA = _BV(ADEN) | _BV(ADIE) | _BV(ADPS2) | _BV(ADPS1) | _BV(ADPS0);
}

void analog_begin(void) {
  channel = 0;
  convert();
}

ISR(ADC_vect) {
  results[channel] = ADC;
  if (++channel < ADC_CHANNELS) convert();
}

/* Running sums of `depth` results: sum - sum/depth + result. */
static void average(uint8_t which, uint8_t depth) {
  const uint16_t result = results[which];
  sums[which] = filled ? (uint16_t)(sums[which] - sums[which] / depth + result) : (uint16_t)(result * depth);
}

void analog_take(void) {
  if (channel < ADC_CHANNELS) return;
  average(ADC_MOTOR, 4);
  for (uint8_t which = ADC_OUTSIDE; which < ADC_CHANNELS; which++) average(which, 16);
  filled = true;
}

/* ACS712-20A: 2.5 V without current, 100 mV/A. One unit of the sum of 4 is 5000 mV / 4096 = 12.207 mA. */
uint16_t analog_motor_ma(void) {
  if (!filled) return 0;
  const int16_t off = (int16_t)(sums[ADC_MOTOR] - 2048);
  const uint16_t size = (uint16_t)(off < 0 ? -off : off);
  return (uint16_t)((uint32_t)size * 12207UL / 1000UL);
}

uint16_t analog_sum(uint8_t which) {
  /* 16 results of 1023 are 16368; the running sum of constant results may stand up to 15 above. */
  return sums[which] > 16368u ? 16368u : sums[which];
}
