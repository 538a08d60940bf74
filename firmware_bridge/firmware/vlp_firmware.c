/* New firmware over the link: into the other bank, checked there, started on trial, kept or left again.
 *
 * What has come stays through a broken link: whoever begins with the same size and hash is told where to go on.
 */
#include "vlp_bytes.h"
#include "vlp_settings.h"

#include <string.h>

enum { BEGIN_SIZE = 1 + 4 + 32 + 1, PIECE_HEAD = 1 + 4 };

/* OK and how much has come, in decimal. */
static void answer_place(vlp_answer *answer, uint8_t status, uint32_t have)
{
    char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + have % 10u);
        have /= 10u;
    } while (have > 0);
    answer->status = status;
    answer->length = (uint8_t)(sizeof digits - at);
    memcpy(answer->text, digits + at, answer->length);
}

static void begin_image(vlp_link *link, const uint8_t *payload, vlp_answer *answer)
{
    const vlp_banks *banks = link->device->banks;
    vlp_coming *coming = &link->coming;
    uint32_t size = (uint32_t)number_at(payload + 1, 4);
    const char *why = banks->refuses(banks->context);
    if (why != NULL) {
        vlp_answer_with(answer, VLP_REFUSED, why);
    } else if (banks->on_trial(banks->context)) {
        vlp_answer_with(answer, VLP_REFUSED, "on trial");
    } else if (size == 0 || size > banks->room) {
        vlp_answer_with(answer, VLP_BAD_ARGUMENT, "no room");
    } else if (coming->begun && coming->size == size && memcmp(coming->hash, payload + 5, 32) == 0) {
        answer_place(answer, VLP_OK, coming->have);
    } else {
        memset(coming, 0, sizeof *coming);
        if (banks->prepare(banks->context, size) != 0) {
            vlp_answer_with(answer, VLP_REFUSED, "cannot be erased");
            return;
        }
        coming->size = size;
        memcpy(coming->hash, payload + 5, 32);
        coming->begun = 1;
        answer_place(answer, VLP_OK, 0);
    }
}

static void piece(vlp_link *link, const uint8_t *payload, size_t length, vlp_answer *answer)
{
    const vlp_banks *banks = link->device->banks;
    vlp_coming *coming = &link->coming;
    uint32_t offset = (uint32_t)number_at(payload + 1, 4);
    size_t size = length - PIECE_HEAD;
    if (!coming->begun) {
        vlp_answer_with(answer, VLP_REFUSED, "nothing begun");
        return;
    }
    if (offset != coming->have) { /* sent again, or one before it was lost */
        answer_place(answer, offset < coming->have ? VLP_OK : VLP_BAD_ARGUMENT, coming->have);
        return;
    }
    if (size > coming->size - coming->have)
        size = coming->size - coming->have;
    if (banks->write(banks->context, offset, payload + PIECE_HEAD, size) != 0) {
        vlp_answer_with(answer, VLP_REFUSED, "cannot be written");
        return;
    }
    coming->have += (uint32_t)size;
    answer_place(answer, VLP_OK, coming->have);
}

/* By what stands in the bank, not by what came over the line. */
static void check(vlp_link *link, vlp_answer *answer)
{
    const vlp_banks *banks = link->device->banks;
    vlp_coming *coming = &link->coming;
    uint8_t bytes[64], digest[32];
    vlp_sha256 sum;
    uint32_t at;
    if (!coming->begun || coming->have < coming->size) {
        vlp_answer_with(answer, VLP_REFUSED, "not whole");
        return;
    }
    vlp_sha256_begin(&sum);
    for (at = 0; at < coming->size; at += sizeof bytes) {
        size_t size = coming->size - at < sizeof bytes ? coming->size - at : sizeof bytes;
        if (banks->read(banks->context, at, bytes, size) != 0)
            break;
        vlp_sha256_add(&sum, bytes, size);
    }
    vlp_sha256_end(&sum, digest);
    if (memcmp(digest, coming->hash, sizeof digest) != 0) {
        coming->begun = 0;
        vlp_answer_with(answer, VLP_REFUSED, "hash differs");
    } else if (!banks->suits(banks->context, coming->size)) {
        coming->begun = 0;
        vlp_answer_with(answer, VLP_REFUSED, "not for this device");
    } else {
        coming->checked = 1;
    }
}

static void start(vlp_link *link, vlp_answer *answer)
{
    const vlp_banks *banks = link->device->banks;
    const char *why = banks->refuses(banks->context);
    if (link->coming.started)
        return; /* the answer was lost */
    if (!link->coming.begun || !link->coming.checked) {
        vlp_answer_with(answer, VLP_REFUSED, "not checked");
    } else if (why != NULL) {
        vlp_answer_with(answer, VLP_REFUSED, why);
    } else {
        link->coming.started = 1;
        banks->start(banks->context);
    }
}

void vlp_firmware_step(vlp_link *link, const uint8_t *payload, size_t length, vlp_answer *answer)
{
    const vlp_banks *banks = link->device->banks;
    vlp_answer_with(answer, VLP_OK, "");
    if (banks == NULL || length < 1) {
        vlp_answer_with(answer, VLP_UNKNOWN, "");
    } else if (payload[0] == VLP_FW_BEGIN && length >= BEGIN_SIZE) {
        begin_image(link, payload, answer);
    } else if (payload[0] == VLP_FW_PIECE && length > PIECE_HEAD) {
        piece(link, payload, length, answer);
    } else if (payload[0] == VLP_FW_CHECK) {
        check(link, answer);
    } else if (payload[0] == VLP_FW_START) {
        start(link, answer);
    } else if (payload[0] == VLP_FW_KEEP) {
        banks->keep(banks->context);
    } else if (payload[0] == VLP_FW_BACK) {
        if (banks->back(banks->context) != 0)
            vlp_answer_with(answer, VLP_REFUSED, "not on trial");
    } else {
        vlp_answer_with(answer, VLP_UNKNOWN, "");
    }
}
