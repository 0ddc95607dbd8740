/* What the controller is beside its wiring: settings, roof, measurements, and the answers to lines. No hardware here. */
#ifndef CONTROLLER_H
#define CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "line.h"
#include "roof.h"
#include "settings.h"

#ifndef PROTOCOL_VERSION
#define PROTOCOL_VERSION 1
#endif
#define FIRMWARE_VERSION "1.0.0"

/* After power-up, time for sensors and supply to come to rest before anything moves. */
#define SETTLE_STEPS (2u * STEPS_PER_SECOND)

#define DEW_HEATERS 2

enum reset_cause { RESET_POWER, RESET_BUTTON, RESET_BROWN_OUT, RESET_WATCHDOG };

/* One step's readings: debounced contacts and ADC results. */
struct readings {
  bool at_open;
  bool at_closed;
  bool rain;
  bool mains_lost;
  bool parked;
  uint16_t motor_ma;
  uint16_t sensors[3]; /* outside, inside, humidity: sums of 16 results of 10 bits */
};

struct controller {
  struct settings settings;
  uint8_t settings_source;
  uint8_t reset_cause;
  struct roof_limits limits;
  struct roof_state roof;
  struct roof_inputs inputs;
  struct readings readings;
  uint8_t dew_percent[DEW_HEATERS];
  bool greeted;           /* HELLO with our version came since the reset */
  bool heartbeat;         /* for the next step */
  int16_t heartbeat_last; /* sequence number of the last heartbeat, -1 at first */
  uint8_t told[3];        /* what the last event said */
  bool boot_told;
  uint32_t steps;
};

void controller_start(struct controller *controller, uint8_t reset_cause);

/* One step of 10 ms. `controller->roof.motor` is what the motor has to do now. */
void controller_step(struct controller *controller, const struct readings *readings);

/* Duty cycle of a heater now: none on the battery and none when nobody watches. */
uint8_t controller_dew_percent(const struct controller *controller, uint8_t heater);

/* Answers a right line. False when there is nothing to say. `text` is changed. */
bool controller_answer(struct controller *controller, char *text, uint16_t bad_lines, struct line_writer *reply);

/* The next event, if there is one to tell. */
bool controller_event(struct controller *controller, struct line_writer *event);

#endif
