/* Check, stuffing and decimal numbers: functions without state. */
#include "vlp.h"

/* Four bits at a time: a table of 64 bytes is worth it on the smallest part. */
uint32_t vlp_crc32c(const uint8_t *bytes, size_t length)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x105EC76Fu, 0x20BD8EDEu, 0x30E349B1u, 0x417B1DBCu, 0x5125DAD3u, 0x61C69362u, 0x7198540Du,
        0x82F63B78u, 0x92A8FC17u, 0xA24BB5A6u, 0xB21572C9u, 0xC38D26C4u, 0xD3D3E1ABu, 0xE330A81Au, 0xF36E6F75u
    };
    uint32_t crc = 0xFFFFFFFFu;
    size_t at;
    for (at = 0; at < length; at++) {
        crc ^= bytes[at];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return crc ^ 0xFFFFFFFFu;
}

size_t vlp_stuff(const uint8_t *bytes, size_t length, uint8_t *stuffed)
{
    size_t code_at = 0, out = 1, at;
    uint8_t code = 1;
    for (at = 0; at < length; at++) {
        if (bytes[at] != 0) {
            stuffed[out++] = bytes[at];
            code++;
        }
        if (bytes[at] == 0 || (code == 0xFFu && at + 1 < length)) {
            stuffed[code_at] = code;
            code_at = out++;
            code = 1;
        }
    }
    stuffed[code_at] = code;
    return out;
}

long vlp_unstuff(const uint8_t *stuffed, size_t length, uint8_t *bytes, size_t room)
{
    size_t at = 0, out = 0;
    while (at < length) {
        uint8_t code = stuffed[at];
        size_t end = at + code;
        if (code == 0 || end > length || out + code > room + 1)
            return -1;
        for (at++; at < end; at++)
            bytes[out++] = stuffed[at];
        if (code != 0xFFu && at < length) {
            if (out == room)
                return -1;
            bytes[out++] = 0;
        }
    }
    return (long)out;
}

int vlp_thousandths(const char *text, size_t length, int32_t *value)
{
    size_t at = 0;
    int32_t whole = 0;
    int negative = 0, places = -1, digits = 0;
    if (at < length && text[at] == '-') {
        negative = 1;
        at++;
    }
    for (; at < length; at++) {
        if (text[at] == '.' && places < 0 && digits > 0) {
            places = 0;
            continue;
        }
        if (text[at] < '0' || text[at] > '9' || places == 3 || digits == 9)
            return -1;
        whole = whole * 10 + (text[at] - '0');
        digits++;
        if (places >= 0)
            places++;
    }
    if (digits == 0)
        return -1;
    for (places = places < 0 ? 0 : places; places < 3; places++) {
        if (whole > INT32_MAX / 10)
            return -1;
        whole *= 10;
    }
    *value = negative ? -whole : whole;
    return 0;
}

void vlp_decimal(int32_t value, char *text)
{
    char digits[12];
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    int count = 0, first = 0, at;
    while (count < 4 || rest > 0) {
        digits[count++] = (char)('0' + rest % 10u);
        rest /= 10u;
    }
    if (value < 0)
        *text++ = '-';
    for (at = count - 1; at >= 3; at--)
        *text++ = digits[at];
    while (first < 3 && digits[first] == '0')
        first++;
    if (first < 3)
        *text++ = '.';
    for (at = 2; at >= first; at--)
        *text++ = digits[at];
    *text = '\0';
}
