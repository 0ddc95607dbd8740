#include "contacts.h"

#include "board.h"

static uint8_t stable, once, twice;

static uint8_t raw(uint8_t invert) {
  uint8_t bits = 0;
  if (!(PINB & _BV(PIN_AT_OPEN))) bits |= CONTACT_AT_OPEN;
  if (!(PINB & _BV(PIN_AT_CLOSED))) bits |= CONTACT_AT_CLOSED;
  if (PIND & _BV(PIN_RAIN)) bits |= CONTACT_RAIN;
  if (PIND & _BV(PIN_MAINS)) bits |= CONTACT_MAINS_LOST;
  if (!(PIND & _BV(PIN_PARKED))) bits |= CONTACT_PARKED;
  return bits ^ invert;
}

void contacts_start(uint8_t invert) {
  stable = once = twice = raw(invert);
}

uint8_t contacts_read(uint8_t invert) {
  const uint8_t now = raw(invert);
  const uint8_t agreed = (uint8_t)~((now ^ once) | (now ^ twice));
  stable = (uint8_t)((stable & ~agreed) | (now & agreed));
  twice = once;
  once = now;
  return stable;
}
