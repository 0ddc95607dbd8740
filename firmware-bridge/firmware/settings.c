#include "settings.h"

#include <string.h>

#include "crc.h"

/* The dead man's time can be made shorter than 30 s, never longer. */
const struct setting_rule setting_rules[SETTING_COUNT] = {
    [SETTING_HEARTBEAT_S] = {"heartbeat-s", 30, 5, 30},
    [SETTING_TRAVEL_S] = {"travel-s", 60, 2, 600},
    [SETTING_LEAVE_S] = {"leave-s", 5, 1, 60},
    [SETTING_OVER_MA] = {"over-ma", 8000, 0, 20000},
    [SETTING_OVER_MS] = {"over-ms", 200, 20, 2000},
    [SETTING_INRUSH_MS] = {"inrush-ms", 500, 0, 3000},
    [SETTING_PAUSE_MS] = {"pause-ms", 1000, 100, 10000},
    [SETTING_MAINS_S] = {"mains-s", 3, 0, 600},
    [SETTING_WET_S] = {"wet-s", 0, 0, 600},
    [SETTING_HOLD_S] = {"hold-s", 60, 0, 300},
    [SETTING_INVERT] = {"invert", 0, 0, 31},
};

#define LAYOUT 1u
#define COPY_BYTES (1u + 2u * SETTING_COUNT + 2u)
/* Far apart: a brown-out garbles the byte that was being written (datasheet section 8.4.2), not one in another page. */
static const uint16_t copy_address[2] = {0, 64};

static uint8_t packed_byte(const struct settings *settings, uint8_t at) {
  if (at == 0) return LAYOUT;
  const uint16_t value = settings->values[(at - 1) / 2];
  return (at - 1) % 2 ? (uint8_t)(value >> 8) : (uint8_t)value;
}

static uint16_t packed_crc(const struct settings *settings) {
  uint16_t crc = CRC_START;
  for (uint8_t at = 0; at < COPY_BYTES - 2; at++) crc = crc_add(crc, packed_byte(settings, at));
  return crc;
}

static bool read_copy(uint16_t address, struct settings *settings) {
  for (uint8_t i = 0; i < SETTING_COUNT; i++) {
    const uint8_t low = store_read((uint16_t)(address + 1 + 2 * i));
    settings->values[i] = (uint16_t)(low | (uint16_t)store_read((uint16_t)(address + 2 + 2 * i)) << 8);
    if (!setting_allowed(i, settings->values[i])) return false;
  }
  const uint16_t crc = packed_crc(settings);
  const uint16_t end = (uint16_t)(address + COPY_BYTES);
  return store_read(address) == LAYOUT && store_read((uint16_t)(end - 2)) == (uint8_t)crc &&
         store_read((uint16_t)(end - 1)) == (uint8_t)(crc >> 8);
}

static void write_copy(uint16_t address, const struct settings *settings) {
  const uint16_t crc = packed_crc(settings);
  for (uint8_t at = 0; at < COPY_BYTES - 2; at++) store_write((uint16_t)(address + at), packed_byte(settings, at));
  store_write((uint16_t)(address + COPY_BYTES - 2), (uint8_t)crc);
  store_write((uint16_t)(address + COPY_BYTES - 1), (uint8_t)(crc >> 8));
}

static void set_defaults(struct settings *settings) {
  for (uint8_t i = 0; i < SETTING_COUNT; i++) settings->values[i] = setting_rules[i].usual;
}

uint8_t settings_load(struct settings *settings) {
  struct settings second;
  const bool first_good = read_copy(copy_address[0], settings);
  const bool second_good = read_copy(copy_address[1], &second);
  if (first_good) {
    if (!second_good || memcmp(settings, &second, sizeof second) != 0) write_copy(copy_address[1], settings);
    return SETTINGS_FIRST;
  }
  if (second_good) {
    *settings = second;
    write_copy(copy_address[0], settings);
    return SETTINGS_SECOND;
  }
  set_defaults(settings);
  return SETTINGS_DEFAULTS;
}

void settings_save(const struct settings *settings) {
  write_copy(copy_address[0], settings);
  write_copy(copy_address[1], settings);
}

uint8_t setting_find(const char *name) {
  uint8_t i = 0;
  while (i < SETTING_COUNT && strcmp(setting_rules[i].name, name) != 0) i++;
  return i;
}

bool setting_allowed(uint8_t setting, uint16_t value) {
  return value >= setting_rules[setting].least && value <= setting_rules[setting].most;
}

static uint16_t steps_of_s(uint16_t seconds) {
  return (uint16_t)(seconds * STEPS_PER_SECOND);
}

/* Rounded up: a short time does not become none. */
static uint16_t steps_of_ms(uint16_t milliseconds) {
  return (uint16_t)((milliseconds + 9u) / 10u);
}

void settings_limits(const struct settings *settings, struct roof_limits *limits) {
  const uint16_t *values = settings->values;
  *limits = (struct roof_limits){
      .silence = steps_of_s(values[SETTING_HEARTBEAT_S]),
      .travel = steps_of_s(values[SETTING_TRAVEL_S]),
      .leave = steps_of_s(values[SETTING_LEAVE_S]),
      .over = steps_of_ms(values[SETTING_OVER_MS]),
      .inrush = steps_of_ms(values[SETTING_INRUSH_MS]),
      .pause = steps_of_ms(values[SETTING_PAUSE_MS]),
      .mains = steps_of_s(values[SETTING_MAINS_S]),
      .wet = steps_of_s(values[SETTING_WET_S]),
      .hold = steps_of_s(values[SETTING_HOLD_S]),
  };
}
