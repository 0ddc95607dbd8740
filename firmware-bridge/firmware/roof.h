/*
 * The roof as a pure state machine: one step is a function of limits, state and inputs, without hardware and without a
 * clock. The same file is compiled for the ATmega328P and for the host, where every reachable state is enumerated.
 */
#ifndef ROOF_H
#define ROOF_H

#include <stdbool.h>
#include <stdint.h>

/* One step is 10 ms. All times below are counted in steps. */
#define STEPS_PER_SECOND 100u

enum roof_motor { MOTOR_STILL, MOTOR_OPENING, MOTOR_CLOSING };

enum roof_order { ORDER_NONE, ORDER_OPEN, ORDER_CLOSE };

enum roof_fault {
  FAULT_NONE,
  FAULT_BOTH_SWITCHES, /* open and closed at once: one of them lies */
  FAULT_MOTOR_TIMEOUT, /* the end switch did not come in time */
  FAULT_OVER_CURRENT,  /* something is in the way */
  FAULT_STUCK_SWITCH,  /* the switch that the roof should have left stays made */
};

enum roof_command { COMMAND_OPEN, COMMAND_CLOSE, COMMAND_STOP, COMMAND_CLEAR };

enum roof_answer { ANSWER_OK, ANSWER_FAULT, ANSWER_RAIN, ANSWER_MAINS, ANSWER_SILENCE, ANSWER_PARK };

/* Why the controller wants the roof closed by itself. */
#define DEMAND_RAIN 1u
#define DEMAND_MAINS 2u
#define DEMAND_SILENCE 4u

/* What keeps a wanted motion from starting. */
enum roof_wait { WAIT_NONE, WAIT_PARK, WAIT_HOLD, WAIT_PAUSE };

struct roof_limits {
  uint16_t silence; /* without a heartbeat, then it closes */
  uint16_t travel;  /* longest motor run */
  uint16_t leave;   /* longest time for the switch behind to open */
  uint16_t over;    /* over-current that lasts this long stops the motor; at least 1 */
  uint16_t inrush;  /* over-current is not looked at while the motor starts */
  uint16_t pause;   /* break before make: both relays off between two runs; at least 1 */
  uint16_t mains;   /* mains lost that long, then it closes */
  uint16_t wet;     /* rain that long with the mount not parked, then it closes anyway; 0: never */
  uint16_t hold;    /* STOP keeps automatic closing away for this long */
};

struct roof_inputs { /* debounced */
  bool at_open;
  bool at_closed;
  bool rain;
  bool mains_lost;
  bool parked;
  bool over_current;
  bool heartbeat; /* a valid one came since the last step */
};

struct roof_state {
  uint8_t motor; /* enum roof_motor: the only output */
  uint8_t order; /* enum roof_order */
  uint8_t fault; /* enum roof_fault, latched until COMMAND_CLEAR */
  bool heard;    /* a heartbeat came since power-up */
  uint16_t silence;
  uint16_t run;
  uint16_t over;
  uint16_t pause;
  uint16_t mains;
  uint16_t wet;
  uint16_t hold;
};

/* The state after power-up: motor off, nothing ordered, no motion before `settle` steps have passed. */
void roof_start(struct roof_state *roof, uint16_t settle);

/* One step. `roof->motor` is what the motor has to do until the next one. */
void roof_step(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in);

/*
 * Takes a command (enum roof_command) between two steps, or refuses it, with the inputs of the last step. The motor
 * changes only in the next step, which looks at everything again.
 */
uint8_t roof_obey(const struct roof_limits *limits, struct roof_state *roof, const struct roof_inputs *in,
                  uint8_t command);

/* DEMAND_ bits that hold with these inputs. */
uint8_t roof_demand(const struct roof_limits *limits, const struct roof_state *roof, const struct roof_inputs *in);

/* What a wanted motion waits for (enum roof_wait). */
uint8_t roof_wait(const struct roof_limits *limits, const struct roof_state *roof, const struct roof_inputs *in);

#endif
