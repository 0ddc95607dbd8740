/*
 * Which pin is what. Contacts close to ground, with the internal pull-ups (datasheet section 14.2.1): a broken wire reads
 * as rain, mains lost, mount not parked, end not reached. The motor pins are none of those that a programmer or a
 * bootloader uses, and a resistor pulls each relay driver to off while pins float in reset (section 11.1). Sections,
 * here and in the other files, are those of the ATmega48A/PA/88A/PA/168A/PA/328/P datasheet, DS40002061B.
 */
#ifndef BOARD_H
#define BOARD_H

#include <avr/io.h>

#define F_CLOCK 16000000UL

/* Port D */
#define PIN_RAIN PD2 /* closed: dry */
#define PIN_MAINS PD3 /* closed: mains there */
#define PIN_PARKED PD4 /* closed: mount parked */
#define PIN_DEW_2 PD5 /* OC0B */
#define PIN_DEW_1 PD6 /* OC0A */
#define PIN_MOTOR_OPEN PD7

/* Port B */
#define PIN_MOTOR_CLOSE PB0
#define PIN_AT_OPEN PB1 /* closed: roof open */
#define PIN_AT_CLOSED PB2 /* closed: roof closed */
#define PIN_LED PB5

/* ADC channels, port C */
#define ADC_MOTOR 0
#define ADC_OUTSIDE 1
#define ADC_INSIDE 2
#define ADC_HUMIDITY 3
#define ADC_CHANNELS 4

#endif
