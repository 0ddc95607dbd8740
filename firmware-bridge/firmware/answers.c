/* The protocol: what each request does and what it is answered. The protocol is described in docs/safety-controller.md. */
#include <string.h>

#include "controller.h"

static const char *const motor_names[] = {"still", "opening", "closing"};
static const char *const fault_names[] = {"none", "both-switches", "motor-timeout", "over-current", "stuck-switch"};
static const char *const wait_names[] = {"none", "park", "hold", "pause"};
static const char *const answer_names[] = {"ok", "fault", "rain", "mains", "silence", "park"};
static const char *const cause_names[] = {"power", "button", "brown-out", "watchdog"};
static const char *const source_names[] = {"first", "second", "defaults"};

#define WORDS_MOST 4u

struct request {
  uint8_t sequence;
  const char *words[WORDS_MOST]; /* verb and arguments */
  uint8_t count;
};

static bool hex_digit_value(char digit, uint8_t *value) {
  if (digit >= '0' && digit <= '9') *value = (uint8_t)(digit - '0');
  else if (digit >= 'A' && digit <= 'F') *value = (uint8_t)(digit - 'A' + 10);
  else return false;
  return true;
}

/* `@SS VERB argument…`, one space between. */
static bool split(char *text, struct request *request) {
  uint8_t high, low;
  if (text[0] != '@' || !hex_digit_value(text[1], &high) || !hex_digit_value(text[2], &low)) return false;
  request->sequence = (uint8_t)(high << 4 | low);
  request->count = 0;
  char *at = text + 3;
  while (*at == ' ') {
    *at++ = 0;
    if (*at == 0 || *at == ' ' || request->count == WORDS_MOST) return false;
    request->words[request->count++] = at;
    while (*at && *at != ' ') at++;
  }
  return *at == 0 && request->count > 0;
}

/* Decimal, at most 65535, digits only. */
static bool parse_number(const char *text, uint16_t *number) {
  uint32_t value = 0;
  if (*text == 0) return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + (uint8_t)(*text - '0');
    if (value > UINT16_MAX) return false;
  }
  *number = (uint16_t)value;
  return true;
}

static void begin(struct line_writer *reply, char mark, const struct request *request) {
  line_begin(reply, mark);
  line_hex(reply, request->sequence);
  line_space(reply);
  line_text(reply, request->words[0]);
}

static void word(struct line_writer *reply, const char *text) {
  line_space(reply);
  line_text(reply, text);
}

static void number(struct line_writer *reply, uint32_t value) {
  line_space(reply);
  line_number(reply, value);
}

static void accept(struct line_writer *reply, const struct request *request) {
  begin(reply, '=', request);
}

static void refuse(struct line_writer *reply, const struct request *request, const char *reason) {
  begin(reply, '?', request);
  word(reply, reason);
}

static const char *position_name(const struct controller *controller) {
  const struct roof_inputs *in = &controller->inputs;
  if (in->at_open && in->at_closed) return "both";
  if (in->at_open) return "open";
  return in->at_closed ? "closed" : "between";
}

static uint8_t input_bits(const struct controller *controller) {
  const struct roof_inputs *in = &controller->inputs;
  return (uint8_t)(in->at_open | in->at_closed << 1 | in->rain << 2 | in->mains_lost << 3 | in->parked << 4 |
                   in->over_current << 5);
}

static uint8_t demand(const struct controller *controller) {
  return roof_demand(&controller->limits, &controller->roof, &controller->inputs);
}

static void tell_roof(const struct controller *controller, struct line_writer *line) {
  word(line, position_name(controller));
  word(line, motor_names[controller->roof.motor]);
  word(line, fault_names[controller->roof.fault]);
  word(line, wait_names[roof_wait(&controller->limits, &controller->roof, &controller->inputs)]);
  line_space(line);
  line_hex(line, demand(controller));
  line_space(line);
  line_hex(line, input_bits(controller));
}

static void tell_identity(const struct controller *controller, struct line_writer *line) {
  number(line, PROTOCOL_VERSION);
  word(line, FIRMWARE_VERSION);
  word(line, cause_names[controller->reset_cause]);
  word(line, source_names[controller->settings_source]);
}

static void answer_hello(struct controller *controller, const struct request *request, struct line_writer *reply) {
  uint16_t version;
  if (request->count != 2 || !parse_number(request->words[1], &version)) return refuse(reply, request, "arguments");
  if (version != PROTOCOL_VERSION) {
    refuse(reply, request, "version");
    return number(reply, PROTOCOL_VERSION);
  }
  controller->greeted = true;
  accept(reply, request);
  tell_identity(controller, reply);
}

static void answer_state(const struct controller *controller, const struct request *request, uint16_t bad_lines,
                         struct line_writer *reply) {
  accept(reply, request);
  tell_roof(controller, reply);
  number(reply, controller->roof.silence / STEPS_PER_SECOND);
  number(reply, controller->readings.motor_ma);
  for (uint8_t i = 0; i < 3; i++) number(reply, controller->readings.sensors[i]);
  for (uint8_t i = 0; i < DEW_HEATERS; i++) number(reply, controller_dew_percent(controller, i));
  number(reply, controller->steps / STEPS_PER_SECOND);
  number(reply, bad_lines);
}

/* A repeated request is answered again but shows nothing new: a program that hangs in its retries is not alive. */
static void answer_heartbeat(struct controller *controller, const struct request *request, struct line_writer *reply) {
  if (request->sequence == controller->heartbeat_last) return refuse(reply, request, "repeated");
  controller->heartbeat_last = request->sequence;
  controller->heartbeat = true;
  accept(reply, request);
}

static void answer_roof(struct controller *controller, const struct request *request, uint8_t command,
                        struct line_writer *reply) {
  const uint8_t answer = roof_obey(&controller->limits, &controller->roof, &controller->inputs, command);
  if (answer == ANSWER_OK) accept(reply, request);
  else refuse(reply, request, answer_names[answer]);
}

static void answer_dew(struct controller *controller, const struct request *request, struct line_writer *reply) {
  uint16_t heater, percent;
  if (request->count != 3 || !parse_number(request->words[1], &heater) || !parse_number(request->words[2], &percent)) {
    return refuse(reply, request, "arguments");
  }
  if (heater < 1 || heater > DEW_HEATERS || percent > 100) return refuse(reply, request, "range");
  controller->dew_percent[heater - 1] = (uint8_t)percent;
  accept(reply, request);
}

static void tell_setting(const struct controller *controller, uint8_t setting, struct line_writer *reply) {
  const struct setting_rule *rule = &setting_rules[setting];
  word(reply, rule->name);
  number(reply, controller->settings.values[setting]);
  number(reply, rule->least);
  number(reply, rule->most);
  number(reply, rule->usual);
}

static void answer_get(const struct controller *controller, const struct request *request, struct line_writer *reply) {
  if (request->count != 2) return refuse(reply, request, "arguments");
  const uint8_t setting = setting_find(request->words[1]);
  if (setting == SETTING_COUNT) return refuse(reply, request, "name");
  accept(reply, request);
  tell_setting(controller, setting, reply);
}

static const char *change_setting(struct controller *controller, const struct request *request, uint8_t *setting) {
  uint16_t value;
  if (request->count != 3 || !parse_number(request->words[2], &value)) return "arguments";
  *setting = setting_find(request->words[1]);
  if (*setting == SETTING_COUNT) return "name";
  if (!setting_allowed(*setting, value)) return "range";
  /* Writing takes 3.3 ms a byte (datasheet section 8.6.3), and no limit changes under a running motor. */
  if (controller->roof.motor != MOTOR_STILL) return "moving";
  controller->settings.values[*setting] = value;
  settings_save(&controller->settings);
  settings_limits(&controller->settings, &controller->limits);
  return 0;
}

static void answer_set(struct controller *controller, const struct request *request, struct line_writer *reply) {
  uint8_t setting = SETTING_COUNT;
  const char *reason = change_setting(controller, request, &setting);
  if (reason) return refuse(reply, request, reason);
  accept(reply, request);
  tell_setting(controller, setting, reply);
}

static void answer_greeted(struct controller *controller, const struct request *request, uint16_t bad_lines,
                           struct line_writer *reply) {
  static const char *const roof_verbs[] = {"OPEN", "CLOSE", "STOP", "CLEAR"};
  const char *verb = request->words[0];
  if (strcmp(verb, "GET") == 0) return answer_get(controller, request, reply);
  if (strcmp(verb, "SET") == 0) return answer_set(controller, request, reply);
  if (strcmp(verb, "DEW") == 0) return answer_dew(controller, request, reply);
  if (request->count != 1) return refuse(reply, request, "arguments");
  if (strcmp(verb, "STATE") == 0) return answer_state(controller, request, bad_lines, reply);
  if (strcmp(verb, "HEART") == 0) return answer_heartbeat(controller, request, reply);
  for (uint8_t command = COMMAND_OPEN; command <= COMMAND_CLEAR; command++) {
    if (strcmp(verb, roof_verbs[command]) == 0) return answer_roof(controller, request, command, reply);
  }
  refuse(reply, request, "verb");
}

bool controller_answer(struct controller *controller, char *text, uint16_t bad_lines, struct line_writer *reply) {
  struct request request;
  if (!split(text, &request)) return false;
  if (strcmp(request.words[0], "HELLO") == 0) answer_hello(controller, &request, reply);
  /* A client of another version, or one that has not seen our reset, moves nothing. */
  else if (!controller->greeted) refuse(reply, &request, "hello");
  else answer_greeted(controller, &request, bad_lines, reply);
  line_end(reply);
  return true;
}

bool controller_event(struct controller *controller, struct line_writer *event) {
  if (!controller->boot_told) {
    controller->boot_told = true;
    line_begin(event, '!');
    line_text(event, "BOOT");
    tell_identity(controller, event);
    line_end(event);
    return true;
  }
  const uint8_t news[3] = {(uint8_t)(controller->roof.motor | controller->roof.fault << 4), demand(controller),
                           input_bits(controller)};
  if (memcmp(news, controller->told, sizeof news) == 0) return false;
  memcpy(controller->told, news, sizeof news);
  line_begin(event, '!');
  line_text(event, "ROOF");
  tell_roof(controller, event);
  line_end(event);
  return true;
}
