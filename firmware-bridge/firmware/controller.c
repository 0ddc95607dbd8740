#include "controller.h"

#include <string.h>

void controller_start(struct controller *controller, uint8_t reset_cause) {
  *controller = (struct controller){.reset_cause = reset_cause, .heartbeat_last = -1};
  controller->settings_source = settings_load(&controller->settings);
  settings_limits(&controller->settings, &controller->limits);
  roof_start(&controller->roof, SETTLE_STEPS);
}

static void take_readings(struct controller *controller, const struct readings *readings) {
  const uint16_t over_ma = controller->settings.values[SETTING_OVER_MA];
  controller->readings = *readings;
  controller->inputs = (struct roof_inputs){
      .at_open = readings->at_open,
      .at_closed = readings->at_closed,
      .rain = readings->rain,
      .mains_lost = readings->mains_lost,
      .parked = readings->parked,
      .heartbeat = controller->heartbeat,
      .over_current = over_ma > 0 && readings->motor_ma > over_ma,
  };
}

void controller_step(struct controller *controller, const struct readings *readings) {
  take_readings(controller, readings);
  controller->heartbeat = false;
  roof_step(&controller->limits, &controller->roof, &controller->inputs);
  controller->steps++;
}

uint8_t controller_dew_percent(const struct controller *controller, uint8_t heater) {
  const uint8_t demand = roof_demand(&controller->limits, &controller->roof, &controller->inputs);
  return demand & (DEMAND_MAINS | DEMAND_SILENCE) ? 0 : controller->dew_percent[heater];
}
