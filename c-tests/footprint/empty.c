/* What every program has: the figures are what the others have beyond it. */
int main(void) {
    return 0;
}
