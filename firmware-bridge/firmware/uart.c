#include "uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>

/* Powers of two up to 256: the indices wrap by themselves. */
#define IN_SIZE 128u
#define OUT_SIZE 256u

static volatile char in[IN_SIZE];
static volatile uint8_t in_head, in_tail;
static volatile char out[OUT_SIZE];
static volatile uint8_t out_head, out_tail;

void uart_start(void) {
  UCSR0A = _BV(U2X0);
  UBRR0 = 51; /* 38400 baud at 16 MHz, error 0.2 % (datasheet section 20.10) */
  UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
  UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
}

ISR(USART_RX_vect) {
  const uint8_t status = UCSR0A;
  const char byte = (char)UDR0;
  const uint8_t next = (uint8_t)((in_head + 1) % IN_SIZE);
  /* A byte with a framing error is noise (section 20.7.4). */
  if (status & _BV(FE0) || next == in_tail) return;
  in[in_head] = byte;
  in_head = next;
}

ISR(USART_UDRE_vect) {
  if (out_tail == out_head) {
    UCSR0B &= (uint8_t)~_BV(UDRIE0);
    return;
  }
  UDR0 = (uint8_t)out[out_tail];
  out_tail++;
}

bool uart_receive(char *byte) {
  if (in_tail == in_head) return false;
  *byte = in[in_tail];
  in_tail = (uint8_t)((in_tail + 1) % IN_SIZE);
  return true;
}

bool uart_has_room(uint8_t length) {
  const uint8_t used = (uint8_t)(out_head - out_tail);
  return OUT_SIZE - 1 - used >= length;
}

void uart_send(const char *bytes, uint8_t length) {
  while (length-- > 0) {
    out[out_head] = *bytes++;
    out_head++;
  }
  /* Read-modify-write against the interrupt that clears the bit. */
  cli();
  UCSR0B |= _BV(UDRIE0);
  sei();
}
