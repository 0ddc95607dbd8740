/*
 * Every state of the roof that can be reached, under every input and command, with short time limits. Prints the counts,
 * or the first state that breaks a rule. Compiled for the host with ../roof.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../roof.h"

#define INPUTS 128u
#define COMMANDS 5u /* none, open, close, stop, clear */
#define SETTLE 2

struct site {
  const char *name;
  struct roof_limits limits;
};

static const struct site sites[] = {
    {"never closes on an unparked mount",
     {.silence = 3, .travel = 5, .leave = 2, .over = 2, .inrush = 1, .pause = 2, .mains = 1, .wet = 0, .hold = 2}},
    {"closes on an unparked mount after lasting rain",
     {.silence = 3, .travel = 5, .leave = 2, .over = 2, .inrush = 1, .pause = 2, .mains = 1, .wet = 2, .hold = 2}},
    {"shortest limits",
     {.silence = 1, .travel = 1, .leave = 1, .over = 1, .inrush = 0, .pause = 1, .mains = 0, .wet = 1, .hold = 0}},
};

static const struct roof_limits *limits;
static unsigned long long transitions;

static void input_of(unsigned bits, struct roof_inputs *in) {
  *in = (struct roof_inputs){bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3 & 1,
                             bits >> 4 & 1, bits >> 5 & 1, bits >> 6 & 1};
}

/* A number of its own for every state: mixed radix over the counters' ranges. */
static size_t number_of(const struct roof_state *s) {
  size_t n = s->motor;
  n = n * 3 + s->order;
  n = n * 5 + s->fault;
  n = n * 2 + s->heard;
  n = n * (limits->silence + 1u) + s->silence;
  n = n * (limits->travel + 1u) + s->run;
  n = n * (limits->over + 1u) + s->over;
  n = n * 3 + s->pause; /* SETTLE and every pause are at most 2 */
  n = n * (limits->mains + 1u) + s->mains;
  n = n * (limits->wet + 1u) + s->wet;
  return n * (limits->hold + 1u) + s->hold;
}

static size_t numbers(void) {
  return (size_t)3 * 3 * 5 * 2 * (limits->silence + 1u) * (limits->travel + 1u) * (limits->over + 1u) * 3 *
         (limits->mains + 1u) * (limits->wet + 1u) * (limits->hold + 1u);
}

static void fail(const char *rule, const struct roof_state *s, const struct roof_inputs *in, unsigned command,
                 const struct roof_state *next) {
  printf("broken: %s\n", rule);
  printf("inputs open %d closed %d rain %d mains lost %d parked %d over %d heartbeat %d, command %u\n", in->at_open,
         in->at_closed, in->rain, in->mains_lost, in->parked, in->over_current, in->heartbeat, command);
  const struct roof_state *both[2] = {s, next};
  for (int i = 0; i < 2; i++) {
    printf("motor %u order %u fault %u heard %d silence %u run %u over %u pause %u mains %u wet %u hold %u\n",
           both[i]->motor, both[i]->order, both[i]->fault, both[i]->heard, both[i]->silence, both[i]->run, both[i]->over,
           both[i]->pause, both[i]->mains, both[i]->wet, both[i]->hold);
  }
  exit(1);
}

#define RULE(text, holds) \
  if (!(holds)) fail(text, s, in, command, next)

/* Rules of one step. `command` 0 is none, else enum roof_command + 1. */
static void check_step(const struct roof_state *s, const struct roof_inputs *in, unsigned command,
                       const struct roof_state *next) {
  const unsigned demand = roof_demand(limits, next, in);
  const bool open_now = next->motor == MOTOR_OPENING, close_now = next->motor == MOTOR_CLOSING;
  const bool overruled = limits->wet > 0 && next->wet >= limits->wet;
  RULE("the motor is off or turns one way", next->motor <= MOTOR_CLOSING);
  RULE("the motor is off at its own end switch", !(open_now && in->at_open) && !(close_now && in->at_closed));
  RULE("the roof never opens over an unparked mount", !open_now || in->parked);
  RULE("the roof closes over an unparked mount only by the rain policy", !close_now || in->parked || overruled);
  RULE("both end switches stop the motor and are a fault",
       !(in->at_open && in->at_closed) || (next->motor == MOTOR_STILL && next->fault != FAULT_NONE));
  RULE("no motion with a fault", next->fault == FAULT_NONE || next->motor == MOTOR_STILL);
  RULE("a fault stays until it is cleared", s->fault == FAULT_NONE || command == COMMAND_CLEAR + 1 || next->fault == s->fault);
  RULE("no opening in rain", !open_now || !in->rain);
  RULE("no opening without mains or without a heartbeat", !open_now || (demand == 0 && next->heard));
  RULE("an order ends the hold", next->order == ORDER_NONE || next->hold == 0);
  RULE("a hold that runs is not made longer", s->hold == 0 || next->hold < s->hold);
  RULE("no opening that was not ordered",
       next->order != ORDER_OPEN || s->order == ORDER_OPEN || command == COMMAND_OPEN + 1);
  RULE("nothing closes that was not ordered or demanded",
       next->order != ORDER_CLOSE || s->order == ORDER_CLOSE || command == COMMAND_CLOSE + 1 || demand != 0);
  RULE("both relays are off between two runs",
       s->motor == MOTOR_STILL || next->motor == s->motor || next->motor == MOTOR_STILL);
  RULE("the break is as long as the settings say",
       s->motor == MOTOR_STILL || next->motor != MOTOR_STILL || next->pause == limits->pause);
  RULE("no start during the break", s->motor != MOTOR_STILL || next->motor == MOTOR_STILL || s->pause <= 1);
  RULE("no run longer than the time-out", next->motor == MOTOR_STILL || next->run < limits->travel);
  RULE("lasting over-current stops the motor", next->motor == MOTOR_STILL || next->over < limits->over);
  RULE("silence is counted to its limit", in->heartbeat ? next->silence == 0 : next->silence > s->silence ||
                                                              next->silence == limits->silence);
}

/* From every healthy state rain over a parked mount starts the motor towards closed, within the longest waits. */
static void check_rain_closes(const struct roof_state *state) {
  const struct roof_inputs rain = {.rain = true, .parked = true, .heartbeat = true};
  struct roof_state roof = *state;
  if (roof.fault != FAULT_NONE) return;
  for (int i = 0; i <= limits->hold + limits->pause + SETTLE + 1; i++) {
    roof_step(limits, &roof, &rain);
    if (roof.motor == MOTOR_CLOSING || roof.fault != FAULT_NONE) return;
  }
  fail("rain closes", state, &rain, 0, &roof);
}

/* From every healthy state a lost mains over a parked mount starts the motor towards closed. */
static void check_mains_closes(const struct roof_state *state) {
  const struct roof_inputs dark = {.mains_lost = true, .parked = true, .heartbeat = true};
  struct roof_state roof = *state;
  if (roof.fault != FAULT_NONE) return;
  for (int i = 0; i <= limits->mains + limits->hold + limits->pause + SETTLE + 1; i++) {
    roof_step(limits, &roof, &dark);
    if (roof.motor == MOTOR_CLOSING || roof.fault != FAULT_NONE) return;
  }
  fail("a lost mains closes", state, &dark, 0, &roof);
}

/* From every healthy state a silent line over a parked mount starts the motor towards closed. */
static void check_silence_closes(const struct roof_state *state) {
  const struct roof_inputs quiet = {.parked = true};
  struct roof_state roof = *state;
  if (roof.fault != FAULT_NONE) return;
  for (int i = 0; i <= limits->silence + limits->hold + limits->pause + SETTLE + 1; i++) {
    roof_step(limits, &roof, &quiet);
    if (roof.motor == MOTOR_CLOSING || roof.fault != FAULT_NONE) return;
  }
  fail("silence closes", state, &quiet, 0, &roof);
}

/* A state after a command, and the command (0: none). */
struct start {
  struct roof_state state;
  unsigned command;
};

/*
 * What a command may make of a state: it is judged with the inputs of the step before, whatever the next ones are, but
 * all those inputs lead to a few different states.
 */
static unsigned starts_of(const struct roof_state *state, struct start *starts) {
  unsigned count = 1;
  starts[0] = (struct start){*state, 0};
  for (unsigned before = 0; before < INPUTS; before++) {
    struct roof_inputs in;
    input_of(before, &in);
    for (unsigned command = 1; command < COMMANDS; command++) {
      struct start start = {*state, command};
      roof_obey(limits, &start.state, &in, (uint8_t)(command - 1));
      unsigned same = 0;
      while (same < count && (starts[same].command != command || number_of(&starts[same].state) != number_of(&start.state)))
        same++;
      if (same == count) starts[count++] = start;
    }
  }
  return count;
}

static size_t explore(void) {
  char *seen = calloc(numbers(), 1);
  struct roof_state *queue = malloc(numbers() * sizeof *queue);
  size_t head = 0, tail = 1;
  roof_start(&queue[0], SETTLE);
  seen[number_of(&queue[0])] = 1;
  while (head < tail) {
    const struct roof_state state = queue[head++];
    check_rain_closes(&state);
    check_mains_closes(&state);
    check_silence_closes(&state);
    struct start starts[INPUTS * COMMANDS];
    const unsigned count = starts_of(&state, starts);
    for (unsigned i = 0; i < count; i++) {
      for (unsigned bits = 0; bits < INPUTS; bits++) {
        struct roof_state next = starts[i].state;
        struct roof_inputs in;
        input_of(bits, &in);
        roof_step(limits, &next, &in);
        transitions++;
        check_step(&state, &in, starts[i].command, &next);
        const size_t number = number_of(&next);
        if (seen[number]) continue;
        seen[number] = 1;
        queue[tail++] = next;
      }
    }
  }
  free(seen);
  free(queue);
  return tail;
}

int main(void) {
  for (size_t i = 0; i < sizeof sites / sizeof *sites; i++) {
    limits = &sites[i].limits;
    transitions = 0;
    const size_t states = explore();
    printf("%s: %zu states, %llu transitions, 0 broken rules\n", sites[i].name, states, transitions);
  }
  return 0;
}
