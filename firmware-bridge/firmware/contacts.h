/* The five contacts, debounced: a level counts when three steps in a row, 30 ms, agree. */
#ifndef CONTACTS_H
#define CONTACTS_H

#include <stdint.h>

#define CONTACT_AT_OPEN 1u
#define CONTACT_AT_CLOSED 2u
#define CONTACT_RAIN 4u
#define CONTACT_MAINS_LOST 8u
#define CONTACT_PARKED 16u

/* `invert`: CONTACT_ bits of sensors that are wired the other way round. */
void contacts_start(uint8_t invert);

/* Once a step. Returns the CONTACT_ bits that hold. */
uint8_t contacts_read(uint8_t invert);

#endif
