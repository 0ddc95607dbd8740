#include "roof.h"

void roof_start(struct roof_state *roof, uint16_t settle) {
  *roof = (struct roof_state){.motor = MOTOR_STILL, .order = ORDER_NONE, .fault = FAULT_NONE, .pause = settle};
}

/* Counts up to `limit` and stays there: counters never wrap, and the number of states is finite. */
static void count_up(uint16_t *counter, uint16_t limit) {
  if (*counter < limit) (*counter)++;
}

static void count_down(uint16_t *counter) {
  if (*counter > 0) (*counter)--;
}

static void count_time(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in) {
  if (in->heartbeat) {
    roof->heard = true;
    roof->silence = 0;
  } else {
    count_up(&roof->silence, limits->silence);
  }
  if (in->mains_lost) count_up(&roof->mains, limits->mains);
  else roof->mains = 0;
  /* A closing that began in the rain is finished when the rain ends half-way. */
  if (in->rain) count_up(&roof->wet, limits->wet);
  else if (roof->motor != MOTOR_CLOSING) roof->wet = 0;
  count_down(&roof->hold);
  if (roof->motor == MOTOR_STILL) {
    count_down(&roof->pause);
    return;
  }
  count_up(&roof->run, limits->travel);
  if (in->over_current && roof->run > limits->inrush) count_up(&roof->over, limits->over);
  else count_down(&roof->over);
}

uint8_t roof_demand(const struct roof_limits *limits, const struct roof_state *roof, const struct roof_inputs *in) {
  uint8_t demand = 0;
  if (in->rain) demand |= DEMAND_RAIN;
  if (in->mains_lost && roof->mains >= limits->mains) demand |= DEMAND_MAINS;
  if (roof->silence >= limits->silence) demand |= DEMAND_SILENCE;
  return demand;
}

/* The mount's own sensor decides; only lasting rain may overrule it, and only where the settings say so. */
static bool may_close(const struct roof_limits *limits, const struct roof_state *roof, const struct roof_inputs *in) {
  return in->parked || (limits->wet > 0 && roof->wet >= limits->wet);
}

static uint8_t find_fault(const struct roof_limits *limits, const struct roof_state *roof,
                          const struct roof_inputs *in) {
  if (in->at_open && in->at_closed) return FAULT_BOTH_SWITCHES;
  if (roof->motor == MOTOR_STILL) return FAULT_NONE;
  const bool opening = roof->motor == MOTOR_OPENING;
  if (opening ? in->at_open : in->at_closed) return FAULT_NONE;
  if (roof->over >= limits->over) return FAULT_OVER_CURRENT;
  if (roof->run >= limits->travel) return FAULT_MOTOR_TIMEOUT;
  if (roof->run >= limits->leave && (opening ? in->at_closed : in->at_open)) return FAULT_STUCK_SWITCH;
  return FAULT_NONE;
}

static uint8_t obey_open(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in) {
  const uint8_t demand = roof_demand(limits, roof, in);
  if (roof->fault != FAULT_NONE) return ANSWER_FAULT;
  if (demand & DEMAND_RAIN) return ANSWER_RAIN;
  if (demand & DEMAND_MAINS) return ANSWER_MAINS;
  if ((demand & DEMAND_SILENCE) || !roof->heard) return ANSWER_SILENCE;
  if (!in->parked) return ANSWER_PARK;
  roof->order = ORDER_OPEN;
  roof->hold = 0;
  return ANSWER_OK;
}

static uint8_t obey_close(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in) {
  if (roof->fault != FAULT_NONE) return ANSWER_FAULT;
  if (!in->at_closed && !may_close(limits, roof, in)) return ANSWER_PARK;
  roof->order = ORDER_CLOSE;
  roof->hold = 0;
  return ANSWER_OK;
}

static void obey_stop(const struct roof_limits *limits, struct roof_state *roof) {
  roof->order = ORDER_NONE;
  /* Repeated STOPs do not keep the roof open: a hold that runs is not made longer. */
  if (roof->hold == 0) roof->hold = limits->hold;
}

uint8_t roof_obey(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in,
                  uint8_t command) {
  if (command == COMMAND_OPEN) return obey_open(limits, roof, in);
  if (command == COMMAND_CLOSE) return obey_close(limits, roof, in);
  if (command == COMMAND_STOP) obey_stop(limits, roof);
  if (command == COMMAND_CLEAR) {
    /* The only fault whose cause shows while the motor is off. */
    if (in->at_open && in->at_closed) return ANSWER_FAULT;
    roof->fault = FAULT_NONE;
  }
  return ANSWER_OK;
}

static void plan(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in) {
  const uint8_t demand = roof_demand(limits, roof, in);
  if (demand && !in->at_closed && roof->hold == 0) roof->order = ORDER_CLOSE;
  if (roof->fault != FAULT_NONE) roof->order = ORDER_NONE;
  if (roof->order == ORDER_OPEN && (demand || !in->parked || in->at_open)) roof->order = ORDER_NONE;
  if (roof->order == ORDER_CLOSE && in->at_closed) roof->order = ORDER_NONE;
  /* An order that waits for the mount is forgotten with its reason: a roof must not start on its own in fine weather. */
  if (roof->order == ORDER_CLOSE && !demand && !may_close(limits, roof, in)) roof->order = ORDER_NONE;
}

static uint8_t wanted_motor(const struct roof_limits *limits, const struct roof_state *roof,
                            const struct roof_inputs *in) {
  if (roof->order == ORDER_OPEN) return MOTOR_OPENING;
  if (roof->order == ORDER_CLOSE && may_close(limits, roof, in)) return MOTOR_CLOSING;
  return MOTOR_STILL;
}

static void drive(const struct roof_limits *limits, struct roof_state *roof, uint8_t wanted) {
  if (wanted == roof->motor) return;
  if (roof->motor != MOTOR_STILL) {
    roof->motor = MOTOR_STILL;
    roof->pause = limits->pause;
  } else if (roof->pause == 0) {
    roof->motor = wanted;
    roof->run = 0;
    roof->over = 0;
  }
}

void roof_step(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in) {
  count_time(limits, roof, in);
  if (roof->fault == FAULT_NONE) roof->fault = find_fault(limits, roof, in);
  plan(limits, roof, in);
  drive(limits, roof, wanted_motor(limits, roof, in));
}

uint8_t roof_wait(const struct roof_limits *limits, const struct roof_state *roof, const struct roof_inputs *in) {
  if (roof->fault != FAULT_NONE || roof->motor != MOTOR_STILL) return WAIT_NONE;
  if (roof->order == ORDER_CLOSE && !may_close(limits, roof, in)) return WAIT_PARK;
  if (roof->order != ORDER_NONE) return WAIT_PAUSE;
  if (roof->hold > 0 && !in->at_closed && roof_demand(limits, roof, in)) return WAIT_HOLD;
  return WAIT_NONE;
}
