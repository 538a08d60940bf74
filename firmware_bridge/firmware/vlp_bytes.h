/* Inside vlp_link.c: a payload written and read byte by byte, little endian on any machine. */
#ifndef VLP_BYTES_H
#define VLP_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *bytes;
    size_t length, room;
    int overflow;
} writer;

static inline void put(writer *to, const void *bytes, size_t length)
{
    if (length > to->room - to->length) {
        to->overflow = 1;
        return;
    }
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static inline void put_number(writer *to, uint64_t number, size_t size)
{
    uint8_t bytes[8];
    size_t at;
    for (at = 0; at < size; at++)
        bytes[at] = (uint8_t)(number >> (8u * at));
    put(to, bytes, size);
}

static inline void put_float(writer *to, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits); /* IEEE 754 binary32, as every current part has it */
    put_number(to, bits, 4);
}

static inline void put_text(writer *to, const char *text, size_t length)
{
    if (length > 255u)
        length = 255u;
    put_number(to, length, 1);
    put(to, text, length);
}

static inline uint64_t number_at(const uint8_t *bytes, size_t size)
{
    uint64_t number = 0;
    while (size-- > 0)
        number = number << 8 | bytes[size];
    return number;
}

#endif
