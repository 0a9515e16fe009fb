/** Labelled images: what they are made of, where they come from and how a network sees them. */
package org.hast4j.data;
