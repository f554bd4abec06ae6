/*
 * An associative array's keys are counted.
 * @needs: root
 */
int a[int, ...]; BEGIN { }
