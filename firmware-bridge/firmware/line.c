#include "line.h"

#include "crc.h"

/* `*` and four digits. */
#define TAIL 5u

static bool hex_value(char digit, uint8_t *value) {
  if (digit >= '0' && digit <= '9') *value = (uint8_t)(digit - '0');
  else if (digit >= 'A' && digit <= 'F') *value = (uint8_t)(digit - 'A' + 10);
  else return false;
  return true;
}

static bool check(struct line_reader *reader) {
  if (reader->overflow || reader->length <= TAIL) return false;
  const uint8_t body = (uint8_t)(reader->length - TAIL);
  if (reader->text[body] != '*') return false;
  uint16_t told = 0;
  for (uint8_t i = (uint8_t)(body + 1); i < reader->length; i++) {
    uint8_t digit;
    if (!hex_value(reader->text[i], &digit)) return false;
    told = (uint16_t)(told << 4 | digit);
  }
  uint16_t crc = CRC_START;
  for (uint8_t i = 0; i < body; i++) crc = crc_add(crc, (uint8_t)reader->text[i]);
  reader->text[body] = 0;
  return crc == told;
}

bool line_add(struct line_reader *reader, char byte) {
  if (byte == '\r') return false;
  if (byte != '\n') {
    if (reader->length < LINE_MOST) reader->text[reader->length++] = byte;
    else reader->overflow = true;
    return false;
  }
  const bool empty = reader->length == 0;
  const bool good = check(reader);
  if (!good && !empty && reader->bad < UINT16_MAX) reader->bad++;
  reader->length = 0;
  reader->overflow = false;
  return good;
}

static void add(struct line_writer *writer, char character) {
  if (writer->length < REPLY_MOST - TAIL - 1) writer->text[writer->length++] = character;
}

void line_begin(struct line_writer *writer, char mark) {
  writer->length = 0;
  add(writer, mark);
}

void line_text(struct line_writer *writer, const char *text) {
  while (*text) add(writer, *text++);
}

void line_number(struct line_writer *writer, uint32_t number) {
  char digits[10];
  uint8_t count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  while (count > 0) add(writer, digits[--count]);
}

static char hex_digit(uint8_t value) {
  return (char)(value < 10 ? '0' + value : 'A' + value - 10);
}

void line_hex(struct line_writer *writer, uint8_t byte) {
  add(writer, hex_digit(byte >> 4));
  add(writer, hex_digit(byte & 15));
}

void line_space(struct line_writer *writer) {
  add(writer, ' ');
}

void line_end(struct line_writer *writer) {
  uint16_t crc = CRC_START;
  for (uint8_t i = 0; i < writer->length; i++) crc = crc_add(crc, (uint8_t)writer->text[i]);
  /* `add` leaves room for these six. */
  char *end = writer->text + writer->length;
  *end++ = '*';
  for (int8_t shift = 12; shift >= 0; shift = (int8_t)(shift - 4)) *end++ = hex_digit((uint8_t)(crc >> shift & 15));
  *end = '\n';
  writer->length = (uint8_t)(writer->length + TAIL + 1);
}
