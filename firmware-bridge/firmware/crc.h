#ifndef CRC_H
#define CRC_H

#include <stdint.h>

#define CRC_START 0xFFFFu

/*
 * CRC-16/CCITT-FALSE (in Williams' catalogue CRC-16/IBM-3740): polynomial 0x1021, start 0xFFFF, not reflected, no final
 * XOR. The text "123456789" gives 0x29B1.
 */
uint16_t crc_add(uint16_t crc, uint8_t byte);

#endif
