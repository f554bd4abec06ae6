/*
 * Only a name can be called.
 * @needs: root
 */
BEGIN { x[1](2); }
