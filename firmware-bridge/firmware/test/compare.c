/*
 * The roof's state machine, driven by stdin: two bytes a step, input bits and command (0 none, else 1 + enum
 * roof_command). Prints the whole state after each step. The nine limits are the arguments.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../roof.h"

int main(int count, char **arguments) {
  if (count != 10) return 1;
  uint16_t numbers[9];
  for (int i = 0; i < 9; i++) numbers[i] = (uint16_t)atoi(arguments[i + 1]);
  const struct roof_limits limits = {numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
                                     numbers[5], numbers[6], numbers[7], numbers[8]};
  struct roof_state roof;
  struct roof_inputs in = {0};
  roof_start(&roof, 2);
  int bits, command;
  while ((bits = getchar()) != EOF && (command = getchar()) != EOF) {
    const int answer = command ? roof_obey(&limits, &roof, &in, (uint8_t)(command - 1)) : 0;
    in = (struct roof_inputs){bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3 & 1,
                              bits >> 4 & 1, bits >> 5 & 1, bits >> 6 & 1};
    roof_step(&limits, &roof, &in);
    printf("%d %u %u %u %d %u %u %u %u %u %u %u %u %u\n", answer, roof.motor, roof.order, roof.fault, roof.heard,
           roof.silence, roof.run, roof.over, roof.pause, roof.mains, roof.wet, roof.hold, roof_demand(&limits, &roof, &in),
           roof_wait(&limits, &roof, &in));
  }
  return 0;
}
