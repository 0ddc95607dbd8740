/* The settings' memory on the controller. */
#include <avr/eeprom.h>
#include <avr/wdt.h>

#include "settings.h"

uint8_t store_read(uint16_t address) {
  return eeprom_read_byte((const uint8_t *)address);
}

/* Only what differs is written (3.3 ms a byte, 100 000 times: datasheet section 8.6.3 and "Features"). */
void store_write(uint16_t address, uint8_t byte) {
  wdt_reset();
  eeprom_update_byte((uint8_t *)address, byte);
}
