/*
 * What a site may change, kept in two copies in the EEPROM. A copy that was half written when the power went has a wrong
 * CRC, and then the other one counts; with both wrong the defaults do.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "roof.h"

enum setting {
  SETTING_HEARTBEAT_S,
  SETTING_TRAVEL_S,
  SETTING_LEAVE_S,
  SETTING_OVER_MA,
  SETTING_OVER_MS,
  SETTING_INRUSH_MS,
  SETTING_PAUSE_MS,
  SETTING_MAINS_S,
  SETTING_WET_S,
  SETTING_HOLD_S,
  SETTING_INVERT,
  SETTING_COUNT
};

struct setting_rule {
  const char *name;
  uint16_t usual;
  uint16_t least;
  uint16_t most;
};

extern const struct setting_rule setting_rules[SETTING_COUNT];

struct settings {
  uint16_t values[SETTING_COUNT];
};

enum settings_source { SETTINGS_FIRST, SETTINGS_SECOND, SETTINGS_DEFAULTS };

/* Reads both copies, repairs a bad one from a good one, and says which counted (enum settings_source). */
uint8_t settings_load(struct settings *settings);

/* Writes the first copy, then the second: one of them is whole at every moment. */
void settings_save(const struct settings *settings);

/* SETTING_COUNT when there is none of that name. */
uint8_t setting_find(const char *name);

bool setting_allowed(uint8_t setting, uint16_t value);

void settings_limits(const struct settings *settings, struct roof_limits *limits);

/* The memory itself: the EEPROM on the controller, an array on the host. */
uint8_t store_read(uint16_t address);
void store_write(uint16_t address, uint8_t byte);

#endif
