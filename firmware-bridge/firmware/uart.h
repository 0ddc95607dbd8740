/* 38400 baud, 8N1, both directions by interrupt through ring buffers. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

void uart_start(void);

/* False when nothing came. Bytes that come while the buffer is full are lost, and their line fails its CRC. */
bool uart_receive(char *byte);

/* True when `length` bytes can be sent without waiting. */
bool uart_has_room(uint8_t length);

/* Only after uart_has_room. */
void uart_send(const char *bytes, uint8_t length);

#endif
