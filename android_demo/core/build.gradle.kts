plugins {
    `java-library`
}

tasks.withType<JavaCompile>().configureEach {
    options.release = 17
}

tasks.test {
    useJUnitPlatform()
}

dependencies {
    testImplementation(libs.junit)
    testRuntimeOnly(libs.junit.launcher)
}
