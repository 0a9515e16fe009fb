/** What a user can mend, told apart from what only a developer can. */
package org.hast4j.failure;
