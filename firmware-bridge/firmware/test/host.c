/*
 * The firmware in simavr: UART on a pseudo-terminal, pins, ADC and resets by lines on stdin, motor changes on stdout.
 * Time is counted in cycles of the chip: it moves only by RUN, or at a chosen speed by FREE.
 *
 *   RUN ms            that much time, then "DONE ms bytes": its time, and how many bytes it has sent since the start
 *   EXPECT n          waits on the wall until n bytes since the start have come through the pseudo-terminal
 *   FREE factor       goes on by itself, factor times as fast as the clock on the wall; 0 stops
 *   PIN D2 0|1        level at an input pin
 *   ADC n millivolts
 *   ROOF ms permille  a roof that takes ms from end to end stands at permille (0 closed) and works the end switches
 *   SWITCH open|closed 0|1|auto   1: contact closed whatever the roof does
 *   RESET brown-out|button|power
 *   HANG              the main program loops where it stands; interrupts go on
 *   PWM, EEPROM       print the heaters' duty, the first 128 bytes
 *   STORE address byte   into the EEPROM
 *   QUIT
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <simavr/avr_adc.h>
#include <simavr/avr_eeprom.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>

/* Addresses in data space (datasheet section 31, register summary). */
enum { DDRB = 0x24, PORTB = 0x25, DDRD = 0x2A, PORTD = 0x2B, TCCR0A = 0x44, OCR0A = 0x47, OCR0B = 0x48, MCUSR = 0x54, EICRA = 0x69 };
/* simavr's UART takes 11 bits a byte, 4576 cycles at 38400 baud; faster ones would be lost. */
enum { HZ = 16000000, BYTE_CYCLES = 4600 };

static avr_t *avr;
static int master;
static uint8_t levels[2]; /* at ports B and D */
static unsigned millivolts[8];
static double travel_ms, position; /* 0 closed, 1 open */
static int forced[2] = {-1, -1};   /* open, closed: 1 contact closed */
static int motor_now;
static bool was_reset;
static void (*chip_reset)(avr_t *);
static uint32_t hang_at = UINT32_MAX;
static uint8_t hang_saved[2];

static double now_ms(void) {
  return (double)avr->cycle * 1000.0 / HZ;
}

static void quiet(avr_t *a, const int level, const char *format, va_list list) {
  (void)a, (void)level, (void)format, (void)list;
}

static void no_sleep(avr_t *a, avr_cycle_count_t cycles) {
  (void)a, (void)cycles;
}

/*
 * A write to a port puts its pulled-up inputs to 1 in simavr unless it knows them as driven from outside, so each level
 * is told both ways.
 */
static void drive_port(int port) {
  const char name = port ? 'D' : 'B';
  const uint8_t inputs = port ? 0x1C : 0x06;
  avr_ioport_external_t external = {.name = (unsigned long)name, .mask = inputs, .value = levels[port] & inputs};
  avr_ioctl(avr, (uint32_t)AVR_IOCTL_IOPORT_SET_EXTERNAL(name), &external);
  for (int pin = 0; pin < 8; pin++) {
    if (!(inputs >> pin & 1)) continue;
    avr_irq_t *irq = avr_io_getirq(avr, (uint32_t)AVR_IOCTL_IOPORT_GETIRQ(name), pin);
    avr_raise_irq(irq, !(levels[port] >> pin & 1));
    avr_raise_irq(irq, levels[port] >> pin & 1);
  }
}

static void drive_everything(void) {
  drive_port(0);
  drive_port(1);
  for (int i = 0; i < 8; i++) avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, i), millivolts[i]);
}

static void set_level(int port, int pin, bool level) {
  const uint8_t old = levels[port];
  levels[port] = (uint8_t)((old & ~(1 << pin)) | level << pin);
  if (levels[port] != old) drive_port(port);
}

/* A chip in reset lets go of its outputs, so the relays are off then. */
static int motor(void) {
  const uint8_t *data = avr->data;
  return (data[PORTD] & data[DDRD]) >> 7 | (data[PORTB] & data[DDRB] & 1) << 1;
}

static void watch_motor(void) {
  static const char *names[] = {"still", "opening", "closing", "both"};
  const int m = motor();
  if (m == motor_now) return;
  motor_now = m;
  printf("MOTOR %s %.3f\n", names[m], now_ms());
  fflush(stdout);
}

static void move_roof(double ms) {
  if (motor_now == 1) position += ms / travel_ms;
  if (motor_now == 2) position -= ms / travel_ms;
  if (position > 1) position = 1;
  if (position < 0) position = 0;
  const bool open = forced[0] >= 0 ? forced[0] : position >= 1;
  const bool closed = forced[1] >= 0 ? forced[1] : position <= 0;
  set_level(0, 1, !open);
  set_level(0, 2, !closed);
}

/* At every write to a port, so that not even one instruction with both relays on goes unseen. */
static void on_port(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq, (void)value, (void)param;
  watch_motor();
}

static void on_reset(avr_t *a) {
  was_reset = true;
  chip_reset(a);
}

static unsigned long sent, received;
static uint8_t incoming[1 << 16];
static size_t incoming_head, incoming_tail;

static void on_sent(avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq, (void)param;
  const uint8_t byte = (uint8_t)value;
  /* Nobody reads: lost, as on a real line. */
  if (write(master, &byte, 1) == 1) sent++;
}

/* Takes what has come as long as there is room for it. */
static void receive(void) {
  if (incoming_head == incoming_tail) incoming_head = incoming_tail = 0;
  const ssize_t got = read(master, incoming + incoming_tail, sizeof incoming - incoming_tail);
  if (got <= 0) return;
  incoming_tail += (size_t)got;
  received += (unsigned long)got;
}

static void expect(unsigned long bytes) {
  struct pollfd terminal = {.fd = master, .events = POLLIN};
  receive();
  while (received < bytes && poll(&terminal, 1, 1000) > 0) receive();
}

/* Bytes from the pseudo-terminal at the pace of the line. "HEARD" is the end of a request. */
static avr_cycle_count_t feed(avr_t *a, avr_cycle_count_t when, void *param) {
  (void)a, (void)param;
  if (incoming_head == incoming_tail) receive();
  if (incoming_head < incoming_tail) {
    const uint8_t byte = incoming[incoming_head++];
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT), byte);
    if (byte == '\n') printf("HEARD %.3f\n", now_ms());
  }
  return when + BYTE_CYCLES;
}

static avr_cycle_count_t every_ms(avr_t *a, avr_cycle_count_t when, void *param) {
  (void)a, (void)param;
  if (travel_ms > 0) move_roof(1);
  return when + HZ / 1000;
}

static void timers(void) {
  avr_cycle_timer_register(avr, BYTE_CYCLES, feed, NULL);
  avr_cycle_timer_register(avr, HZ / 1000, every_ms, NULL);
}

static void end_hang(void) {
  memcpy(avr->flash + hang_at, hang_saved, 2);
  hang_at = UINT32_MAX;
}

/* After any reset simavr has forgotten levels, voltages and timers. */
static void after_reset(void) {
  was_reset = false;
  /* simavr polls a low INT0 or INT1 every other cycle, used or not, unless they are set to edges: some 70 times slower. */
  avr->data[EICRA] = 0x0A;
  if (hang_at != UINT32_MAX) end_hang();
  avr_cycle_timer_cancel(avr, feed, NULL);
  avr_cycle_timer_cancel(avr, every_ms, NULL);
  timers();
  drive_everything();
}

static void run_until(avr_cycle_count_t end) {
  while (avr->cycle < end) {
    const int state = avr_run(avr);
    if (state == cpu_Done || state == cpu_Crashed) {
      printf("CRASHED %.3f\n", now_ms());
      exit(1);
    }
    if (was_reset) {
      printf("RESET %.3f\n", now_ms());
      after_reset();
      watch_motor();
    }
  }
  fflush(stdout);
}

static void reset(const char *cause) {
  avr_reset(avr);
  avr->data[MCUSR] = !strcmp(cause, "brown-out") ? 4 : !strcmp(cause, "button") ? 2 : 1;
  after_reset();
  watch_motor();
}

static void hang(void) {
  hang_at = avr->pc;
  memcpy(hang_saved, avr->flash + hang_at, 2);
  avr->flash[hang_at] = 0xFF; /* rjmp .-2 */
  avr->flash[hang_at + 1] = 0xCF;
}

static void print_eeprom(void) {
  avr_eeprom_desc_t desc = {.offset = 0, .size = 128};
  avr_ioctl(avr, AVR_IOCTL_EEPROM_GET, &desc);
  printf("EEPROM ");
  for (int i = 0; i < 128; i++) printf("%02x", desc.ee[i]);
  printf("\n");
}

static void store(unsigned address, unsigned byte) {
  uint8_t value = (uint8_t)byte;
  avr_eeprom_desc_t desc = {.ee = &value, .offset = (uint16_t)address, .size = 1};
  avr_ioctl(avr, AVR_IOCTL_EEPROM_SET, &desc);
}

static void set_switch(const char *which, const char *how) {
  forced[strcmp(which, "open") != 0] = strcmp(how, "auto") == 0 ? -1 : atoi(how);
  if (travel_ms > 0) move_roof(0);
}

static double speed;

static void obey(const char *line) {
  char text[16], other[16];
  unsigned a, b;
  double x, y;
  if (sscanf(line, "RUN %lf", &x) == 1) {
    run_until(avr->cycle + (avr_cycle_count_t)(x * HZ / 1000));
    printf("DONE %.3f %lu\n", now_ms(), sent);
  } else if (sscanf(line, "EXPECT %u", &a) == 1) expect(a);
  else if (sscanf(line, "FREE %lf", &x) == 1) speed = x;
  else if (sscanf(line, "PIN B%u %u", &a, &b) == 2) set_level(0, (int)a, b);
  else if (sscanf(line, "PIN D%u %u", &a, &b) == 2) set_level(1, (int)a, b);
  else if (sscanf(line, "ADC %u %u", &a, &b) == 2 && a < 8) {
    millivolts[a] = b;
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, (int)a), b);
  } else if (sscanf(line, "ROOF %lf %lf", &x, &y) == 2) {
    travel_ms = x;
    position = y / 1000;
    if (travel_ms > 0) move_roof(0);
  } else if (sscanf(line, "SWITCH %15s %15s", text, other) == 2) set_switch(text, other);
  else if (sscanf(line, "RESET %15s", text) == 1) reset(text);
  else if (sscanf(line, "STORE %u %u", &a, &b) == 2) store(a, b);
  else if (!strcmp(line, "HANG")) hang();
  else if (!strcmp(line, "PWM")) printf("PWM %02x %u %u\n", avr->data[TCCR0A], avr->data[OCR0A], avr->data[OCR0B]);
  else if (!strcmp(line, "EEPROM")) print_eeprom();
  else if (!strcmp(line, "QUIT")) exit(0);
  else printf("UNKNOWN %s\n", line);
  fflush(stdout);
}

static double wall_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Takes what stdin has, waiting at most `wait_ms` (-1: for ever). Ends with the one who drives. */
static void listen_control(int wait_ms) {
  static char line[128];
  static size_t length;
  struct pollfd control = {.fd = 0, .events = POLLIN};
  if (poll(&control, 1, wait_ms) <= 0) return;
  char chunk[4096];
  const ssize_t got = read(0, chunk, sizeof chunk);
  if (got <= 0) exit(0);
  for (ssize_t i = 0; i < got; i++) {
    if (chunk[i] != '\n') {
      if (length < sizeof line - 1) line[length++] = chunk[i];
      continue;
    }
    line[length] = 0;
    length = 0;
    obey(line);
  }
}

/* Free running in slices of 5 ms on the wall. */
static void run_free(void) {
  const double slice_ms = 5;
  const double start = wall_ms();
  run_until(avr->cycle + (avr_cycle_count_t)(slice_ms * speed * HZ / 1000));
  const double left = slice_ms - (wall_ms() - start);
  listen_control(left > 0 ? (int)left : 0);
}

static int open_terminal(void) {
  master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  if (master < 0 || grantpt(master) || unlockpt(master)) return 1;
  /* Kept open: without any user of this end, reads of the other fail. */
  const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  struct termios raw;
  if (slave < 0 || tcgetattr(slave, &raw)) return 1;
  cfmakeraw(&raw);
  return tcsetattr(slave, TCSANOW, &raw);
}

static void connect_port(char name) {
  avr_irq_register_notify(avr_io_getirq(avr, (uint32_t)AVR_IOCTL_IOPORT_GETIRQ(name), IOPORT_IRQ_PIN_ALL), on_port, NULL);
}

static void connect_uart(void) {
  uint32_t flags = 0;
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  avr_irq_t *base = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), 0);
  avr_irq_register_notify(base + UART_IRQ_OUTPUT, on_sent, NULL);
}

static int start(const char *path) {
  elf_firmware_t firmware;
  memset(&firmware, 0, sizeof firmware);
  avr_global_logger_set(quiet);
  if (elf_read_firmware(path, &firmware)) return 1;
  avr = avr_make_mcu_by_name("atmega328p");
  if (!avr) return 1;
  avr_init(avr);
  avr_load_firmware(avr, &firmware);
  avr->frequency = HZ;
  avr->vcc = avr->avcc = avr->aref = 5000;
  avr->sleep = no_sleep;
  /* A sleeping chip skips up to this many cycles at once. */
  avr->run_cycle_limit = HZ / 10000;
  chip_reset = avr->reset;
  avr->reset = on_reset;
  return 0;
}

int main(int count, char **arguments) {
  if (count != 2 || start(arguments[1]) || open_terminal()) {
    fprintf(stderr, "usage: host firmware.elf\n");
    return 1;
  }
  connect_uart();
  connect_port('B');
  connect_port('D');
  /* A dry night with mains, the mount parked and the roof closed: 20 °C, motor current nil, humidity sensor at 50 %. */
  levels[0] = 0x02;
  millivolts[0] = 2500;
  millivolts[1] = millivolts[2] = 2500;
  millivolts[3] = 2350;
  reset("power");
  printf("PTY %s\n", ptsname(master));
  fflush(stdout);
  for (;;) {
    if (speed > 0) run_free();
    else listen_control(-1);
  }
}
