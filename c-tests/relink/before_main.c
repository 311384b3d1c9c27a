/* Has the example's program use the client's archive, and so refer to all of the layer, without a change of its own.
 * SPDX-License-Identifier: Apache-2.0
 */

#include "client.h"

#include <unistd.h>

__attribute__((constructor)) static void use_client(void)
{
    if (client_uses_layer() != 0) {
        _exit(4);
    }
}
