/** Networks as values: structure, shapes, and the JSON that files hold. */
package org.hast4j.model;
