/*
 * The protocol under sanitizers, on the host: noise, garbled requests, and right lines full of nonsense, whose CRC is
 * right so that they reach the parser. After each the settings must be allowed, the reply a whole line, and the roof must
 * not have been opened. Arguments: seed, bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../controller.h"
#include "../crc.h"

static uint8_t memory[256];
static uint32_t noise;

uint8_t store_read(uint16_t address) {
  return memory[address % sizeof memory];
}

void store_write(uint16_t address, uint8_t byte) {
  memory[address % sizeof memory] = byte;
}

/* xorshift32 (Marsaglia 2003). */
static uint32_t random_below(uint32_t n) {
  noise ^= noise << 13;
  noise ^= noise >> 17;
  noise ^= noise << 5;
  return noise % n;
}

static const char *const words[] = {"HELLO", "STATE", "HEART", "CLOSE", "STOP", "CLEAR", "DEW", "GET", "SET", "OPEN",
                                    "1",     "0",     "2",     "100",   "101",  "65535", "65536", "4294967297", "-1", "wet-s",
                                    "travel-s", "invert", "", " ", "*", "999999999999999999999"};

static size_t body_of_words(char *text) {
  size_t length = (size_t)sprintf(text, "@%02X", random_below(256));
  for (uint32_t n = random_below(6); n > 0 && length < 60; n--) {
    length += (size_t)sprintf(text + length, " %s", words[random_below(sizeof words / sizeof *words)]);
  }
  return length;
}

static size_t body_of_noise(char *text) {
  const size_t length = 1 + random_below(60);
  for (size_t i = 0; i < length; i++) text[i] = (char)(random_below(4) ? 32 + random_below(95) : 1 + random_below(255));
  return length;
}

static size_t make_line(char *text) {
  size_t length = random_below(3) ? body_of_words(text) : body_of_noise(text);
  uint16_t crc = CRC_START;
  for (size_t i = 0; i < length; i++) crc = crc_add(crc, (uint8_t)text[i]);
  length += (size_t)sprintf(text + length, "*%04X\n", crc);
  if (random_below(4) == 0) text[random_below((uint32_t)length)] = (char)random_below(256);
  return length;
}

static void fail(const char *what, const char *line) {
  printf("broken: %s after %s\n", what, line);
  exit(1);
}

static void check(const struct controller *controller, const struct line_writer *reply, const char *line) {
  for (uint8_t i = 0; i < SETTING_COUNT; i++) {
    if (!setting_allowed(i, controller->settings.values[i])) fail("a setting", line);
  }
  if (reply->length < 8 || reply->length > REPLY_MOST || reply->text[reply->length - 1] != '\n') fail("a reply", line);
  if (controller->dew_percent[0] > 100 || controller->dew_percent[1] > 100) fail("a heater", line);
}

int main(int count, char **arguments) {
  if (count != 3) return 1;
  noise = (uint32_t)strtoul(arguments[1], NULL, 10);
  const unsigned long most = strtoul(arguments[2], NULL, 10);
  static struct controller controller;
  static struct line_reader reader;
  static struct line_writer reply;
  /* The mount is not parked: whatever is said, the motor stays off. */
  const struct readings readings = {.at_closed = true};
  unsigned long bytes = 0, right = 0;
  memset(memory, 0xFF, sizeof memory);
  controller_start(&controller, RESET_POWER);
  while (bytes < most) {
    char line[160];
    const size_t length = make_line(line);
    line[length] = 0;
    for (size_t i = 0; i < length; i++, bytes++) {
      if (!line_add(&reader, line[i])) continue;
      right++;
      if (controller_answer(&controller, reader.text, reader.bad, &reply)) check(&controller, &reply, line);
    }
    controller_step(&controller, &readings);
    while (controller_event(&controller, &reply)) check(&controller, &reply, "an event");
    if (controller.roof.motor != MOTOR_STILL) fail("the motor", line);
  }
  printf("%lu bytes, %lu right lines, %u settings source, 0 broken\n", bytes, right, controller.settings_source);
  return 0;
}
