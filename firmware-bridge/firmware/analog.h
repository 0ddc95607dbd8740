/* The four analogue inputs, converted one after the other once a step, by interrupt. */
#ifndef ANALOG_H
#define ANALOG_H

#include <stdint.h>

void analog_start(void);

/* Begins the conversions of this step; they take 0.45 ms. */
void analog_begin(void);

/* Takes the results of the last step into the averages. */
void analog_take(void);

/* Motor current of either direction, over 4 steps. */
uint16_t analog_motor_ma(void);

/* Sum of 16 results of 10 bits, 0..16368: channel 1 outside, 2 inside, 3 humidity. */
uint16_t analog_sum(uint8_t channel);

#endif
