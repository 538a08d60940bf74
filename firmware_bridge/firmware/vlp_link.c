/* The link: frames out and in, what is kept to be sent again, the clock's answers, settings in two steps. */
#include "vlp_bytes.h"
#include "vlp_settings.h"

#include <string.h>

enum { HEADER = 8, CHECK = 4, VERSION = 1 };

#if VLP_MTU < 64u || VLP_MTU > 1024u || VLP_KEPT_BYTES < 2u * VLP_MTU
#error "VLP_MTU is 64 to 1024, and VLP_KEPT_BYTES at least twice as many"
#endif

/* --- frames out ------------------------------------------------------------------------------------------------- */

static uint8_t kept_byte(const vlp_link *link, size_t at) { return link->kept[(link->tail + at) % VLP_KEPT_BYTES]; }

static size_t kept_length(const vlp_link *link, size_t at)
{
    return (size_t)kept_byte(link, at) | (size_t)kept_byte(link, at + 1) << 8;
}

static void keep(vlp_link *link, size_t length)
{
    size_t at, end;
    while (VLP_KEPT_BYTES - link->used < length + 2) { /* the oldest make room */
        size_t oldest = kept_length(link, 0) + 2;
        link->tail = (link->tail + oldest) % VLP_KEPT_BYTES;
        link->used -= oldest;
    }
    end = link->tail + link->used;
    link->kept[end % VLP_KEPT_BYTES] = (uint8_t)length;
    link->kept[(end + 1) % VLP_KEPT_BYTES] = (uint8_t)(length >> 8);
    for (at = 0; at < length; at++)
        link->kept[(end + 2 + at) % VLP_KEPT_BYTES] = link->body[at];
    link->used += length + 2;
}

/* Check, stuff and write `body`, which has room for its check. */
static int transmit(vlp_link *link, size_t length)
{
    uint32_t crc = vlp_crc32c(link->body, length);
    size_t at, wire;
    for (at = 0; at < CHECK; at++)
        link->body[length + at] = (uint8_t)(crc >> (8u * at));
    wire = vlp_stuff(link->body, length + CHECK, link->wire);
    link->wire[wire++] = 0;
    return link->hal->write(link->hal->context, link->wire, wire) == wire;
}

static writer begin(vlp_link *link, uint8_t type)
{
    writer to;
    to.bytes = link->body;
    to.length = 0;
    to.room = VLP_MTU - CHECK;
    to.overflow = 0;
    put_number(&to, VERSION, 1);
    put_number(&to, type, 1);
    put_number(&to, 0, 2);
    put_number(&to, link->sequence, 4);
    return to;
}

static int finish(vlp_link *link, const writer *to)
{
    if (to->overflow)
        return -1;
    link->sequence++;
    keep(link, to->length);
    if (!transmit(link, to->length))
        link->unsent_frames++;
    return 0;
}

/* --- what the device says --------------------------------------------------------------------------------------- */

static void say_hello(vlp_link *link)
{
    const vlp_device *device = link->device;
    writer to = begin(link, VLP_HELLO);
    put_number(&to, VLP_MTU, 2);
    /* Sends again and answers for its clock; has settings; takes firmware. */
    put_number(&to, 3u | (device->setting_count ? 4u : 0u) | (device->banks != NULL ? 8u : 0u), 2);
    put(&to, device->unit, sizeof device->unit);
    put_number(&to, link->boot, 4);
    put_text(&to, device->name, strlen(device->name));
    put_text(&to, device->firmware, strlen(device->firmware));
    (void)finish(link, &to);
}

/* Channel by channel: short frames survive a bad line, and any dictionary fits. */
static void say_dictionary(vlp_link *link)
{
    const vlp_device *device = link->device;
    uint8_t place;
    for (place = 0; place < device->channel_count; place++) {
        const vlp_channel *channel = &device->channels[place];
        writer to = begin(link, VLP_PART);
        put_number(&to, device->dictionary, 2);
        put_number(&to, place, 1);
        put_number(&to, device->channel_count, 1);
        put_number(&to, 1, 1);
        put_number(&to, channel->ch, 1);
        put_number(&to, channel->type, 1);
        put_number(&to, channel->flags, 1);
        put_number(&to, 0, 1);
        put_float(&to, channel->rate_hz);
        put_float(&to, channel->scale);
        put_float(&to, channel->offset);
        put_float(&to, channel->delay_s);
        put_text(&to, channel->name, strlen(channel->name));
        put_text(&to, channel->unit, strlen(channel->unit));
        (void)finish(link, &to);
    }
}

void vlp_tell_settings(vlp_link *link)
{
    const vlp_device *device = link->device;
    uint8_t place;
    for (place = 0; place < device->setting_count; place++) { /* one by one, as the dictionary */
        const vlp_setting *setting = &device->settings[place];
        writer to = begin(link, VLP_SETTINGS);
        put_number(&to, device->setting_count, 1);
        put_number(&to, 1, 1);
        put_number(&to, setting->id, 1);
        put_number(&to, 0, 3);
        put_number(&to, (uint32_t)setting->low, 4);
        put_number(&to, (uint32_t)setting->high, 4);
        put_number(&to, (uint32_t)setting->step, 4);
        put_number(&to, (uint32_t)link->hal->value(link->hal->context, setting->id), 4);
        put_text(&to, setting->name, strlen(setting->name));
        put_text(&to, setting->unit, strlen(setting->unit));
        (void)finish(link, &to);
    }
}

static const vlp_channel *channel_of(const vlp_link *link, uint8_t ch)
{
    uint8_t place;
    for (place = 0; place < link->device->channel_count; place++)
        if (link->device->channels[place].ch == ch)
            return &link->device->channels[place];
    return NULL;
}

/* Values in the machine's byte order go out in the protocol's. */
static void put_values(writer *to, uint8_t type, const void *values, size_t n)
{
    const size_t size = type == VLP_U8 ? 1 : type == VLP_I16 ? 2 : 4;
    const uint8_t *from = values;
    size_t at;
    for (at = 0; at < n; at++, from += size) {
        uint8_t byte;
        uint16_t two;
        uint32_t four;
        if (size == 1) {
            byte = *from;
            put_number(to, byte, 1);
        } else if (size == 2) {
            memcpy(&two, from, 2);
            put_number(to, two, 2);
        } else {
            memcpy(&four, from, 4);
            put_number(to, four, 4);
        }
    }
}

int vlp_samples(vlp_link *link, uint8_t ch, uint64_t us, const void *values, uint8_t n)
{
    const vlp_channel *channel = channel_of(link, ch);
    writer to = begin(link, VLP_SAMPLES);
    if (channel == NULL || n == 0)
        return -1;
    put_number(&to, link->device->dictionary, 2);
    put_number(&to, ch, 1);
    put_number(&to, n, 1);
    put_number(&to, us, 8);
    put_values(&to, channel->type, values, n);
    return finish(link, &to);
}

int vlp_rows(vlp_link *link, uint8_t ch, uint8_t channels, uint64_t us, const void *values, uint8_t n)
{
    const vlp_channel *channel = channel_of(link, ch);
    writer to = begin(link, VLP_ROWS);
    if (channel == NULL || n == 0 || channels == 0)
        return -1;
    put_number(&to, link->device->dictionary, 2);
    put_number(&to, ch, 1);
    put_number(&to, channels, 1);
    put_number(&to, n, 1);
    put_number(&to, 0, 1);
    put_number(&to, us, 8);
    put_values(&to, channel->type, values, (size_t)channels * n);
    return finish(link, &to);
}

int vlp_log(vlp_link *link, uint8_t level, const char *text)
{
    writer to = begin(link, VLP_LOG);
    put_number(&to, level, 1);
    put_number(&to, link->hal->now_us(link->hal->context), 8);
    put(&to, text, strlen(text));
    return finish(link, &to);
}

static void acknowledge(vlp_link *link, uint32_t sequence, uint8_t status, const char *text, size_t length)
{
    writer to = begin(link, VLP_ACK);
    put_number(&to, sequence, 4);
    put_number(&to, status, 1);
    put_text(&to, text, length);
    (void)finish(link, &to);
}

/* --- frames in -------------------------------------------------------------------------------------------------- */

static void introduce(vlp_link *link)
{
    say_hello(link);
    say_dictionary(link);
    vlp_tell_settings(link);
}

static void command(vlp_link *link, uint32_t sequence, uint8_t flags, const uint8_t *payload, size_t length)
{
    vlp_answer *answer = NULL;
    uint8_t at, told = 0;
    uint16_t number, request;
    const char *text = (const char *)payload + 5;
    if (length < 5 || length - 5 < payload[4])
        return;
    number = (uint16_t)number_at(payload, 2);
    request = (uint16_t)number_at(payload + 2, 2);
    for (at = 0; at < VLP_ANSWERS; at++)
        if ((flags & VLP_AGAIN) && link->answers[at].used && link->answers[at].sequence == sequence)
            answer = &link->answers[at]; /* done already: the answer was lost */
    if (answer == NULL) {
        answer = &link->answers[link->next_answer];
        link->next_answer = (uint8_t)((link->next_answer + 1u) % VLP_ANSWERS);
        answer->used = 1;
        answer->sequence = sequence;
        vlp_answer_with(answer, VLP_OK, "");
        if (number == VLP_SAY_HELLO) {
            introduce(link);
        } else if (number == VLP_SAY_SETTINGS) {
            vlp_tell_settings(link);
        } else if (number == VLP_PROPOSE) {
            vlp_propose(link, request, text, payload[4], answer);
        } else if (number == VLP_CONFIRM) {
            vlp_confirm(link, request, text, payload[4], answer);
            told = 1;
        } else {
            answer->status = VLP_UNKNOWN;
        }
    }
    if (flags & VLP_ACK_WANTED)
        acknowledge(link, sequence, answer->status, answer->text, answer->length);
    if (told)
        vlp_tell_settings(link);
}

static void pong(vlp_link *link, const uint8_t *payload, uint64_t heard_us)
{
    writer to = begin(link, VLP_PONG);
    put(&to, payload, 8);
    put_number(&to, heard_us, 8);
    put_number(&to, link->hal->now_us(link->hal->context), 8);
    (void)finish(link, &to);
}

static void resend_later(vlp_link *link, uint32_t first, uint32_t last)
{
    if (link->resends == VLP_RESENDS)
        return; /* it will be asked for once more */
    link->resend_first[link->resends] = first;
    link->resend_last[link->resends] = last;
    link->resends++;
}

static void frame(vlp_link *link, const uint8_t *body, size_t length, uint64_t heard_us)
{
    const uint8_t *payload = body + HEADER;
    size_t size;
    uint32_t sequence;
    if (length < HEADER + CHECK || vlp_crc32c(body, length - CHECK) != number_at(body + length - CHECK, 4)) {
        link->bad_frames++;
        return;
    }
    size = length - HEADER - CHECK;
    sequence = (uint32_t)number_at(body + 4, 4);
    if (body[0] != VERSION) {
        acknowledge(link, sequence, VLP_OTHER_VERSION, "", 0);
    } else if (body[1] == VLP_PING && size >= 8) {
        pong(link, payload, heard_us);
    } else if (body[1] == VLP_RESEND && size >= 8) {
        resend_later(link, (uint32_t)number_at(payload, 4), (uint32_t)number_at(payload + 4, 4));
    } else if (body[1] == VLP_COMMAND) {
        command(link, sequence, body[2], payload, size);
    } else if (body[1] == VLP_FIRMWARE) { /* each step may come twice, and does no harm then */
        vlp_answer answer;
        vlp_firmware_step(link, payload, size, &answer);
        if (body[2] & VLP_ACK_WANTED)
            acknowledge(link, sequence, answer.status, answer.text, answer.length);
    } else if (body[1] != VLP_ACK && (body[2] & VLP_ACK_WANTED)) {
        acknowledge(link, sequence, VLP_UNKNOWN, "", 0);
    }
}

void vlp_receive(vlp_link *link, const uint8_t *bytes, size_t length)
{
    uint64_t heard_us = link->hal->now_us(link->hal->context);
    uint8_t body[VLP_MTU];
    size_t at;
    for (at = 0; at < length; at++) {
        if (bytes[at] != 0) {
            if (link->received_length < sizeof link->received)
                link->received[link->received_length++] = bytes[at];
            else
                link->overrun = 1;
            continue;
        }
        if (link->received_length > 0) { /* an empty frame only flushes the line */
            long found = link->overrun ? -1 : vlp_unstuff(link->received, link->received_length, body, sizeof body);
            if (found < 0)
                link->bad_frames++;
            else
                frame(link, body, (size_t)found, heard_us);
        }
        link->received_length = 0;
        link->overrun = 0;
    }
}

void vlp_poll(vlp_link *link)
{
    size_t at, place;
    while (link->resends > 0) {
        uint32_t first = link->resend_first[0], count = link->resend_last[0] - first;
        for (at = 0; at < link->used; at += 2 + kept_length(link, at)) {
            size_t length = kept_length(link, at), byte;
            uint32_t sequence;
            for (byte = 0; byte < length; byte++)
                link->body[byte] = kept_byte(link, at + 2 + byte);
            sequence = (uint32_t)number_at(link->body + 4, 4);
            if (sequence - first > count)
                continue;
            link->body[2] |= VLP_AGAIN;
            if (!transmit(link, length)) { /* no room: go on from here next time */
                link->resend_first[0] = sequence;
                return;
            }
        }
        link->resends--;
        for (place = 0; place < link->resends; place++) {
            link->resend_first[place] = link->resend_first[place + 1];
            link->resend_last[place] = link->resend_last[place + 1];
        }
    }
}

void vlp_begin(vlp_link *link, const vlp_device *device, const vlp_hal *hal, uint32_t boot)
{
    memset(link, 0, sizeof *link);
    link->device = device;
    link->hal = hal;
    link->boot = boot;
    introduce(link);
}
