/* The roof-and-safety controller on an ATmega328P at 16 MHz: wiring, the 10 ms step and the watchdog. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "analog.h"
#include "board.h"
#include "contacts.h"
#include "controller.h"
#include "uart.h"

/* Tells simavr which chip and clock this is for; a build without simavr's headers does without. */
#if __has_include("avr_mcu_section.h")
#include "avr_mcu_section.h"
AVR_MCU(F_CLOCK, "atmega328p");
#endif

static struct controller controller;
static struct line_reader reader;
static struct line_writer writer;
static volatile uint8_t steps_due;
static bool may_have_news = true; /* a step was done since the last look for events */
static uint8_t reset_flags __attribute__((section(".noinit")));

/*
 * Before anything else: the flags must be read and cleared, and the watchdog, which stays on after its own reset with the
 * shortest time (datasheet section 11.8.2), be set to ours.
 */
__attribute__((naked, used, section(".init3"))) void take_reset_flags(void) {
  reset_flags = MCUSR;
  MCUSR = 0;
  wdt_enable(WDTO_500MS);
}

static uint8_t reset_cause(void) {
  if (reset_flags & _BV(WDRF)) return RESET_WATCHDOG;
  if (reset_flags & _BV(PORF)) return RESET_POWER;
  if (reset_flags & _BV(BORF)) return RESET_BROWN_OUT;
  return RESET_BUTTON;
}

/* Levels before directions: the motor pins become outputs that are low already (section 14.2.1). */
static void pins_start(void) {
  PORTB = _BV(PIN_AT_OPEN) | _BV(PIN_AT_CLOSED);
  PORTD = _BV(PIN_RAIN) | _BV(PIN_MAINS) | _BV(PIN_PARKED);
  DDRB = _BV(PIN_MOTOR_CLOSE) | _BV(PIN_LED);
  DDRD = _BV(PIN_MOTOR_OPEN) | _BV(PIN_DEW_1) | _BV(PIN_DEW_2);
}

/* Timer 1 clears on compare every 10 ms (section 16.9.2): 16 MHz / 64 / 2500. */
static void step_timer_start(void) {
  OCR1A = 2499;
  TIMSK1 = _BV(OCIE1A);
  TCCR1B = _BV(WGM12) | _BV(CS11) | _BV(CS10);
}

ISR(TIMER1_COMPA_vect) {
  steps_due++;
}

/*
 * Phase correct PWM at 122.5 Hz on both heaters (section 15.7.4): with it 0 is off without a spike and 255 is full on,
 * which fast PWM does not give.
 */
static void heaters_start(void) {
  OCR0A = 0;
  OCR0B = 0;
  TCCR0A = _BV(COM0A1) | _BV(COM0B1) | _BV(WGM00);
  TCCR0B = _BV(CS02);
}

static uint8_t duty(uint8_t heater) {
  return (uint8_t)(controller_dew_percent(&controller, heater) * 255u / 100u);
}

static void read_inputs(struct readings *readings) {
  const uint8_t contacts = contacts_read((uint8_t)controller.settings.values[SETTING_INVERT]);
  analog_take();
  analog_begin();
  *readings = (struct readings){
      .at_open = contacts & CONTACT_AT_OPEN,
      .at_closed = contacts & CONTACT_AT_CLOSED,
      .rain = contacts & CONTACT_RAIN,
      .mains_lost = contacts & CONTACT_MAINS_LOST,
      .parked = contacts & CONTACT_PARKED,
      .motor_ma = analog_motor_ma(),
      .sensors = {analog_sum(ADC_OUTSIDE), analog_sum(ADC_INSIDE), analog_sum(ADC_HUMIDITY)},
  };
}

/* Off comes before on, so that not even for an instant both relays are driven. */
static void drive_motor(uint8_t motor) {
  if (motor != MOTOR_OPENING) PORTD &= (uint8_t)~_BV(PIN_MOTOR_OPEN);
  if (motor != MOTOR_CLOSING) PORTB &= (uint8_t)~_BV(PIN_MOTOR_CLOSE);
  if (motor == MOTOR_OPENING) PORTD |= _BV(PIN_MOTOR_OPEN);
  if (motor == MOTOR_CLOSING) PORTB |= _BV(PIN_MOTOR_CLOSE);
}

/* Half a second on and off while all is well, ten times as fast with a fault. */
static void blink(void) {
  const uint8_t half = controller.roof.fault != FAULT_NONE ? 5 : 50;
  if (controller.steps % half == 0) PINB = _BV(PIN_LED); /* toggles (section 14.2.2) */
}

static void step(void) {
  struct readings readings;
  read_inputs(&readings);
  controller_step(&controller, &readings);
  drive_motor(controller.roof.motor);
  OCR0A = duty(0);
  OCR0B = duty(1);
  blink();
  may_have_news = true;
  /* Here and nowhere else but in EEPROM writing: the watchdog is fed by steps that were done. */
  wdt_reset();
}

/* Whether there was something to do. */
static bool talk(void) {
  char byte;
  if (!uart_has_room(REPLY_MOST)) return false;
  if (may_have_news) {
    may_have_news = controller_event(&controller, &writer);
    if (may_have_news) uart_send(writer.text, writer.length);
    return true;
  }
  if (!uart_receive(&byte)) return false;
  if (line_add(&reader, byte) && controller_answer(&controller, reader.text, reader.bad, &writer)) {
    uart_send(writer.text, writer.length);
  }
  return true;
}

/* Steps that came due during an EEPROM write are made up one by one, so that the dead man's time stays right. */
static bool step_is_due(void) {
  cli();
  const bool due = steps_due > 0;
  if (due) steps_due--;
  sei();
  return due;
}

/* Until the next interrupt; the instruction after `sei` is done before any (section 7.7). */
static void rest(void) {
  cli();
  if (steps_due > 0) {
    sei();
    return;
  }
  sleep_enable();
  sei();
  sleep_cpu();
  sleep_disable();
}

int main(void) {
  pins_start();
  controller_start(&controller, reset_cause());
  contacts_start((uint8_t)controller.settings.values[SETTING_INVERT]);
  analog_start();
  uart_start();
  heaters_start();
  step_timer_start();
  set_sleep_mode(SLEEP_MODE_IDLE);
  sei();
  analog_begin();
  for (;;) {
    if (step_is_due()) step();
    else if (!talk()) rest();
  }
}
