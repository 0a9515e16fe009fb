/** ONNX graphs: a table of operators, each with its translation into layers. */
package org.hast4j.source.onnx;
