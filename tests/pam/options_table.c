/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints the table of the module's arguments, for the comparison with the manual page. */
#include "pam_peerauth/options.h"

int main(void) {
        options_print(stdout);
        return 0;
}
