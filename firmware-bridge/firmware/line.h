/* Bytes to lines and back: `body*CRC\n`, the CRC-16 of the body as four hexadecimal digits. */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stdint.h>

/* The longest request is 31 characters. What is longer is dropped up to its line break. */
#define LINE_MOST 48u
/* The longest reply is 117 characters with its line break. */
#define REPLY_MOST 128u

struct line_reader {
  char text[LINE_MOST + 1]; /* after line_add returned true: the body, without the CRC, ended by 0 */
  uint8_t length;
  bool overflow;
  uint16_t bad; /* lines dropped for their length, form or CRC; stays at 65535 */
};

/* Takes one byte; true when it ended a whole and right line. */
bool line_add(struct line_reader *reader, char byte);

/* A line that is being written. */
struct line_writer {
  char text[REPLY_MOST];
  uint8_t length;
};

void line_begin(struct line_writer *writer, char mark);
void line_text(struct line_writer *writer, const char *text);
void line_number(struct line_writer *writer, uint32_t number);
/* Two digits. */
void line_hex(struct line_writer *writer, uint8_t byte);
void line_space(struct line_writer *writer);
/* Adds `*CRC\n`. */
void line_end(struct line_writer *writer);

#endif
